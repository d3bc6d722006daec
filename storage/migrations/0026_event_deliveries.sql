-- Events that the webhook of the settings does not have yet. The row of an event is written in the
-- transaction of the event, and deleted when the webhook has accepted it.
CREATE TABLE event_deliveries (
    event_id     {{text}} PRIMARY KEY NOT NULL CHECK (event_id <> ''),
    tries        BIGINT NOT NULL DEFAULT 0,
    due_at       BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0,
    given_up_at  BIGINT NOT NULL DEFAULT 0,
    last_error   {{text}} NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX event_deliveries_due ON event_deliveries (due_at, event_id) WHERE given_up_at = 0;
CREATE INDEX event_deliveries_created ON event_deliveries (created_at);
