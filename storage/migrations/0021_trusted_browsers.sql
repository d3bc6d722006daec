-- Browsers in which a user signs in without the second factor. Both hashes must match: that of the
-- browser's device and that of its cookie. A session that began this way has factor_skipped.
CREATE TABLE trusted_browsers (
    id          {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_id     {{text}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_hash {{text}} NOT NULL CHECK (device_hash <> ''),
    secret_hash {{text}} NOT NULL CHECK (secret_hash <> ''),
    agent       {{text}} NOT NULL DEFAULT '',
    address     {{text}} NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL DEFAULT 0,
    used_at     BIGINT NOT NULL DEFAULT 0,
    expires_at  BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX trusted_browsers_user ON trusted_browsers (user_id, device_hash);
CREATE INDEX trusted_browsers_expiry ON trusted_browsers (expires_at);
ALTER TABLE sessions ADD COLUMN factor_skipped BOOLEAN NOT NULL DEFAULT FALSE;
