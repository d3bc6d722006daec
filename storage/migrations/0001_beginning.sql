-- {{text}} is TEXT compared by bytes on both databases, {{bytes}} BLOB or BYTEA,
-- {{clustered}} keeps a small row inside its primary key where that exists.
-- Times are Unix milliseconds, durations milliseconds; 0 is never.

CREATE TABLE instance (
    id             BIGINT PRIMARY KEY CHECK (id = 1),
    not_before     BIGINT NOT NULL DEFAULT 0,
    changes        BIGINT NOT NULL DEFAULT 0,
    oldest_program BIGINT NOT NULL DEFAULT 1
);
INSERT INTO instance (id) VALUES (1);

CREATE TABLE users (
    id                    {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    email                 {{text}} NOT NULL DEFAULT '',
    email_canonical       {{text}} NOT NULL DEFAULT '',
    email_verified        BOOLEAN NOT NULL DEFAULT FALSE,
    name                  {{text}} NOT NULL DEFAULT '',
    given_name            {{text}} NOT NULL DEFAULT '',
    family_name           {{text}} NOT NULL DEFAULT '',
    middle_name           {{text}} NOT NULL DEFAULT '',
    nickname              {{text}} NOT NULL DEFAULT '',
    preferred_username    {{text}} NOT NULL DEFAULT '',
    profile               {{text}} NOT NULL DEFAULT '',
    picture               {{text}} NOT NULL DEFAULT '',
    website               {{text}} NOT NULL DEFAULT '',
    gender                {{text}} NOT NULL DEFAULT '',
    birthdate             {{text}} NOT NULL DEFAULT '',
    zoneinfo              {{text}} NOT NULL DEFAULT '',
    locale                {{text}} NOT NULL DEFAULT '',
    phone_number          {{text}} NOT NULL DEFAULT '',
    phone_number_verified BOOLEAN NOT NULL DEFAULT FALSE,
    address               {{text}} NOT NULL DEFAULT '',
    roles                 {{text}} NOT NULL DEFAULT '',
    groups                {{text}} NOT NULL DEFAULT '',
    custom                {{text}} NOT NULL DEFAULT '',
    admin                 BOOLEAN NOT NULL DEFAULT FALSE,
    disabled_at           BIGINT NOT NULL DEFAULT 0,
    delete_at             BIGINT NOT NULL DEFAULT 0,
    not_before            BIGINT NOT NULL DEFAULT 0,
    created_at            BIGINT NOT NULL DEFAULT 0,
    updated_at            BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_email ON users (email_canonical) WHERE email_canonical <> '';
CREATE INDEX users_delete_at ON users (delete_at) WHERE delete_at <> 0;

-- secret: the password's hash, the authenticator's sealed secret, a passkey's
-- public key or a recovery code's hash. number: the last TOTP step or the
-- passkey's signature counter.
CREATE TABLE credentials (
    id         {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_id    {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       {{text}} NOT NULL CHECK (kind IN ('password', 'totp', 'webauthn', 'recovery')),
    name       {{text}} NOT NULL DEFAULT '',
    secret     {{bytes}} NOT NULL,
    handle     {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    number     BIGINT NOT NULL DEFAULT 0,
    proven_at  BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX credentials_user ON credentials (user_id, kind);
CREATE UNIQUE INDEX credentials_one_password ON credentials (user_id) WHERE kind = 'password';
CREATE UNIQUE INDEX credentials_handle ON credentials (handle) WHERE handle <> '';

CREATE TABLE identities (
    connector  {{text}} NOT NULL CHECK (connector <> ''),
    issuer     {{text}} NOT NULL CHECK (issuer <> ''),
    subject    {{text}} NOT NULL CHECK (subject <> ''),
    user_id    {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email      {{text}} NOT NULL DEFAULT '',
    name       {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connector, issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE clients (
    id            {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    name          {{text}} NOT NULL DEFAULT '',
    type          {{text}} NOT NULL,
    metadata      {{text}} NOT NULL DEFAULT '',
    first_party   BOOLEAN NOT NULL DEFAULT FALSE,
    skip_consent  BOOLEAN NOT NULL DEFAULT FALSE,
    introspects   BOOLEAN NOT NULL DEFAULT FALSE,
    pkce_optional BOOLEAN NOT NULL DEFAULT FALSE,
    resources     {{text}} NOT NULL DEFAULT '',
    audiences     {{text}} NOT NULL DEFAULT '',
    origins       {{text}} NOT NULL DEFAULT '',
    refresh_grace BIGINT NOT NULL DEFAULT -1,
    secrets       {{text}} NOT NULL DEFAULT '',
    registration  {{text}} NOT NULL DEFAULT '',
    disabled_at   BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL DEFAULT 0,
    updated_at    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE consents (
    user_id    {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  {{text}} NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes     {{text}} NOT NULL DEFAULT '',
    resources  {{text}} NOT NULL DEFAULT '',
    claims     {{text}} NOT NULL DEFAULT '',
    granted_at BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL DEFAULT 0,
    withdrawn_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client ON consents (client_id);
CREATE INDEX consents_expiry ON consents (expires_at);

CREATE TABLE sessions (
    id              {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    handle_hash     {{text}} NOT NULL CHECK (handle_hash <> ''),
    user_id         {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time       BIGINT NOT NULL DEFAULT 0,
    acr             {{text}} NOT NULL DEFAULT '',
    amr             {{text}} NOT NULL DEFAULT '',
    facts           {{text}} NOT NULL DEFAULT '',
    persistent      BOOLEAN NOT NULL DEFAULT FALSE,
    agent           {{text}} NOT NULL DEFAULT '',
    address         {{text}} NOT NULL DEFAULT '',
    idle_for        BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL DEFAULT 0,
    seen_at         BIGINT NOT NULL DEFAULT 0,
    idle_expires_at BIGINT NOT NULL DEFAULT 0,
    expires_at      BIGINT NOT NULL DEFAULT 0,
    ended_at        BIGINT NOT NULL DEFAULT 0,
    end_reason      {{text}} NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX sessions_handle ON sessions (handle_hash);
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at <> 0;

-- An offline grant outlives the row of its session, hence no reference to it.
CREATE TABLE grants (
    id              {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_id         {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id       {{text}} NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id      {{text}} NOT NULL CHECK (session_id <> ''),
    offline         BOOLEAN NOT NULL DEFAULT FALSE,
    first_party     BOOLEAN NOT NULL DEFAULT FALSE,
    scopes          {{text}} NOT NULL DEFAULT '',
    resources       {{text}} NOT NULL DEFAULT '',
    claims          {{text}} NOT NULL DEFAULT '',
    auth_time       BIGINT NOT NULL DEFAULT 0,
    acr             {{text}} NOT NULL DEFAULT '',
    amr             {{text}} NOT NULL DEFAULT '',
    confirmation    {{text}} NOT NULL DEFAULT '',
    generation      BIGINT NOT NULL DEFAULT 1,
    rotated_at      BIGINT NOT NULL DEFAULT 0,
    idle_for        BIGINT NOT NULL DEFAULT 0,
    idle_expires_at BIGINT NOT NULL DEFAULT 0,
    expires_at      BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL DEFAULT 0,
    revoked_at      BIGINT NOT NULL DEFAULT 0,
    revoke_reason   {{text}} NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX grants_one_first_party ON grants (session_id) WHERE first_party AND revoked_at = 0;
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id, created_at);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_revoked ON grants (revoked_at) WHERE revoked_at <> 0;

CREATE TABLE spent (
    kind       {{text}} NOT NULL,
    id         {{text}} NOT NULL CHECK (id <> ''),
    code_id    {{text}} NOT NULL DEFAULT '',
    grant_id   {{text}} NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id)
) {{clustered}};
CREATE INDEX spent_expiry ON spent (expires_at);

CREATE TABLE keys (
    id            {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    line          {{text}} NOT NULL CHECK (line <> ''),
    state         {{text}} NOT NULL CHECK (state IN ('next', 'active', 'retired', 'revoked', 'gone')),
    public        {{text}} NOT NULL DEFAULT '',
    sealed        {{bytes}} NOT NULL,
    created_at    BIGINT NOT NULL DEFAULT 0,
    activated_at  BIGINT NOT NULL DEFAULT 0,
    retired_at    BIGINT NOT NULL DEFAULT 0,
    gone_at       BIGINT NOT NULL DEFAULT 0,
    revoked_at    BIGINT NOT NULL DEFAULT 0,
    revoke_reason {{text}} NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX keys_one_active ON keys (line) WHERE state = 'active';
CREATE UNIQUE INDEX keys_one_next ON keys (line) WHERE state = 'next';

CREATE TABLE throttles (
    bucket     {{text}} PRIMARY KEY NOT NULL CHECK (bucket <> ''),
    attempts   BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL DEFAULT 0
) {{clustered}};
CREATE INDEX throttles_expiry ON throttles (expires_at);

-- No reference to users: events outlive them and keep the bare subject.
CREATE TABLE events (
    id         {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    at         BIGINT NOT NULL DEFAULT 0,
    type       {{text}} NOT NULL,
    outcome    {{text}} NOT NULL DEFAULT '',
    reason     {{text}} NOT NULL DEFAULT '',
    actor      {{text}} NOT NULL DEFAULT '',
    user_id    {{text}} NOT NULL DEFAULT '',
    client_id  {{text}} NOT NULL DEFAULT '',
    session_id {{text}} NOT NULL DEFAULT '',
    grant_id   {{text}} NOT NULL DEFAULT '',
    connector  {{text}} NOT NULL DEFAULT '',
    address    {{text}} NOT NULL DEFAULT '',
    agent      {{text}} NOT NULL DEFAULT '',
    request_id {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    times      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX events_at ON events (at, id);
CREATE INDEX events_user ON events (user_id, at) WHERE user_id <> '';
CREATE INDEX events_client ON events (client_id, at) WHERE client_id <> '';

CREATE TABLE outbox (
    id           {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    kind         {{text}} NOT NULL CHECK (kind IN ('logout', 'mail')),
    user_id      {{text}} NOT NULL DEFAULT '',
    client_id    {{text}} NOT NULL DEFAULT '',
    session_id   {{text}} NOT NULL DEFAULT '',
    recipient    {{text}} NOT NULL DEFAULT '',
    message      {{text}} NOT NULL DEFAULT '',
    tries        BIGINT NOT NULL DEFAULT 0,
    due_at       BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT NOT NULL DEFAULT 0,
    given_up_at  BIGINT NOT NULL DEFAULT 0,
    last_error   {{text}} NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE delivered_at = 0 AND given_up_at = 0;
CREATE INDEX outbox_done ON outbox (delivered_at) WHERE delivered_at <> 0;

CREATE TABLE pushed_requests (
    id         {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    client_id  {{text}} NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    message    {{text}} NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_client ON pushed_requests (client_id);

CREATE TABLE device_codes (
    id             {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_code      {{text}} NOT NULL CHECK (user_code <> ''),
    client_id      {{text}} NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes         {{text}} NOT NULL DEFAULT '',
    resources      {{text}} NOT NULL DEFAULT '',
    user_id        {{text}} NOT NULL DEFAULT '',
    session_id     {{text}} NOT NULL DEFAULT '',
    grant_id       {{text}} NOT NULL DEFAULT '',
    detail         {{text}} NOT NULL DEFAULT '',
    address        {{text}} NOT NULL DEFAULT '',
    poll_interval  BIGINT NOT NULL DEFAULT 0,
    polled_at      BIGINT NOT NULL DEFAULT 0,
    approved_at    BIGINT NOT NULL DEFAULT 0,
    denied_at      BIGINT NOT NULL DEFAULT 0,
    redeemed_at    BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL DEFAULT 0,
    expires_at     BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX device_codes_user_code ON device_codes (user_code);
CREATE INDEX device_codes_expiry ON device_codes (expires_at);
CREATE INDEX device_codes_client ON device_codes (client_id);

CREATE TABLE leases (
    name       {{text}} PRIMARY KEY NOT NULL CHECK (name <> ''),
    holder     {{text}} NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0
);
