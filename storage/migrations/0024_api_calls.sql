-- Calls of the administration API with an Idempotency-Key. body is a keyed hash, answer is sealed.
-- Only the attempt of the row may act, and acted_at is set in the transaction of the act.
CREATE TABLE api_calls (
    id         {{text}} PRIMARY KEY NOT NULL CHECK (id <> ''),
    body       {{text}} NOT NULL DEFAULT '',
    attempt    {{text}} NOT NULL CHECK (attempt <> ''),
    started_at BIGINT NOT NULL DEFAULT 0,
    acted_at   BIGINT NOT NULL DEFAULT 0,
    answer     {{text}} NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_calls_expiry ON api_calls (expires_at);
