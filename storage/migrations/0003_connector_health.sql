-- How signing in through each connector last went, on any node.
CREATE TABLE connector_health (
    connector      {{text}} PRIMARY KEY NOT NULL CHECK (connector <> ''),
    succeeded_at   BIGINT NOT NULL DEFAULT 0,
    failed_at      BIGINT NOT NULL DEFAULT 0,
    failure_code   {{text}} NOT NULL DEFAULT '',
    failure_reason {{text}} NOT NULL DEFAULT ''
);
