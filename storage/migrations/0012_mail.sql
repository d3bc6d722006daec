-- Mails wait in the outbox too. The nodes look for the due rows of one kind, so that many
-- waiting mails do not delay the logout notices.
DROP INDEX IF EXISTS outbox_due;
CREATE INDEX outbox_due_by_kind ON outbox (kind, due_at) WHERE delivered_at = 0 AND given_up_at = 0;
CREATE INDEX outbox_given_up ON outbox (given_up_at) WHERE given_up_at <> 0;
CREATE INDEX outbox_mail_user ON outbox (user_id) WHERE kind = 'mail' AND user_id <> '';

-- One-time links that are mailed. There is one row for each kind and holder, so a newer link
-- replaces the older one. A row holds no secret: the link is a sealed message that names it.
-- detail is the text that the act of the link needs.
CREATE TABLE mail_links (
    kind       {{text}} NOT NULL CHECK (kind <> ''),
    holder     {{text}} NOT NULL CHECK (holder <> ''),
    id         {{text}} NOT NULL CHECK (id <> ''),
    user_id    {{text}} NOT NULL DEFAULT '',
    address    {{text}} NOT NULL DEFAULT '',
    detail     {{text}} NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, holder)
) {{clustered}};
CREATE INDEX mail_links_expiry ON mail_links (expires_at);
CREATE INDEX mail_links_user ON mail_links (user_id) WHERE user_id <> '';
