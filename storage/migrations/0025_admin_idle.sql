-- When the session last used a page for operators; 0: never. Such a session must sign in again after a
-- time without use.
ALTER TABLE sessions ADD COLUMN admin_seen_at BIGINT NOT NULL DEFAULT 0;
