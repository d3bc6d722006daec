-- The former address of a user whose address was changed, as long as the change can be undone.
-- Nobody else can take the address until then. The copies are the credentials and identities of
-- the user before the change; their columns are those of credentials and identities.
CREATE TABLE address_changes (
    id              {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_id         {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email           {{text}} NOT NULL DEFAULT '',
    email_canonical {{text}} NOT NULL CHECK (email_canonical <> ''),
    changed_at      BIGINT NOT NULL DEFAULT 0,
    expires_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX address_changes_user ON address_changes (user_id, changed_at);
CREATE INDEX address_changes_email ON address_changes (email_canonical);
CREATE INDEX address_changes_expiry ON address_changes (expires_at);

CREATE TABLE former_credentials (
    change_id  {{text}} NOT NULL REFERENCES address_changes (id) ON DELETE CASCADE,
    id         {{text}} NOT NULL CHECK (id <> ''),
    user_id    {{text}} NOT NULL,
    kind       {{text}} NOT NULL,
    name       {{text}} NOT NULL DEFAULT '',
    secret     {{bytes}} NOT NULL,
    handle     {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    number     BIGINT NOT NULL DEFAULT 0,
    proven_at  BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (change_id, id)
);

CREATE TABLE former_identities (
    change_id  {{text}} NOT NULL REFERENCES address_changes (id) ON DELETE CASCADE,
    connector  {{text}} NOT NULL CHECK (connector <> ''),
    issuer     {{text}} NOT NULL CHECK (issuer <> ''),
    subject    {{text}} NOT NULL CHECK (subject <> ''),
    user_id    {{text}} NOT NULL,
    email      {{text}} NOT NULL DEFAULT '',
    name       {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    groups     {{text}} NOT NULL DEFAULT '',
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (change_id, connector, issuer, subject)
);
