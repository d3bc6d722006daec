-- The one-time links by which the first administrator is made, by the hash of their
-- token. Set-up is closed for ever when there has been an administrator.
CREATE TABLE setup_links (
    hash       {{text}} PRIMARY KEY NOT NULL CHECK (hash <> ''),
    expires_at BIGINT NOT NULL DEFAULT 0
);
ALTER TABLE instance ADD COLUMN setup_closed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_admin ON users (id) WHERE admin;
UPDATE instance SET setup_closed_at = 1 WHERE EXISTS (SELECT 1 FROM users WHERE admin);
