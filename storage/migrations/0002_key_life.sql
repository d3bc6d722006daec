-- The longest life, in milliseconds, of what was signed with a key: it tells when
-- the key may go, although the settings were changed meanwhile or the command that
-- rotates it knows others.
ALTER TABLE keys ADD COLUMN longest_life BIGINT NOT NULL DEFAULT 0;
