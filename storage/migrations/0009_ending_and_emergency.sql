-- When everything of the instance has ended at once, the logout notices of its sessions are
-- written later, in portions: for the sessions that were created after notices_from and not
-- after notices_until, in the order of their ids. notices_after is the last id that is done.
-- notices_until is 0 if nothing is left to do.
ALTER TABLE instance ADD COLUMN notices_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN notices_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN notices_after {{text}} NOT NULL DEFAULT '';

-- The one-time links of signet setup-link --break-glass. hash is the hash of the token, '' as
-- soon as the link is used or another one has replaced it. The row stays, because
-- administrators see it as a notice. user_id is the administrator who gets a new password, ''
-- for a link that creates a new administrator.
CREATE TABLE emergency_links (
    id         {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    hash       {{text}} NOT NULL DEFAULT '',
    user_id    {{text}} NOT NULL DEFAULT '',
    host_user  {{text}} NOT NULL DEFAULT '',
    opened_at  BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    used_by    {{text}} NOT NULL DEFAULT ''
);
