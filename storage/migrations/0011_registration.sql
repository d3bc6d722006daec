-- How a client registered itself: all zero for a client that an administrator made. The
-- column registration, which is older, holds the hash of its registration access token.
-- registrations is the number of installations that share the client.
ALTER TABLE clients ADD COLUMN registered_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN registered_with {{text}} NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN metadata_digest {{text}} NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN registrations BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN approved_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX clients_metadata ON clients (metadata_digest) WHERE metadata_digest <> '';
CREATE INDEX clients_unapproved ON clients (registered_at) WHERE registered_at <> 0 AND approved_at = 0;

-- Initial access tokens (RFC 7591, section 3). hash is that of the token.
CREATE TABLE registration_tokens (
    id             {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    hash           {{text}} NOT NULL CHECK (hash <> ''),
    name           {{text}} NOT NULL DEFAULT '',
    redirect_hosts {{text}} NOT NULL DEFAULT '',
    uses_left      BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL DEFAULT 0,
    expires_at     BIGINT NOT NULL DEFAULT 0
) {{clustered}};
CREATE UNIQUE INDEX registration_tokens_hash ON registration_tokens (hash);
CREATE INDEX registration_tokens_expiry ON registration_tokens (expires_at);
