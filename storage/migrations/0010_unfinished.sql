-- Changes of so many rows that they are made in portions. A row stands from the decision
-- until the last portion: meanwhile a deleted client or user does not exist for readers.
-- kind: client and user are deletions, consent and identity revoke grants that were
-- created at or before bound.
CREATE TABLE unfinished (
    kind      {{text}} NOT NULL CHECK (kind IN ('client', 'user', 'consent', 'identity')),
    user_id   {{text}} NOT NULL DEFAULT '',
    client_id {{text}} NOT NULL DEFAULT '',
    identity  {{text}} NOT NULL DEFAULT '',
    bound     BIGINT NOT NULL DEFAULT 0,
    at        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, user_id, client_id, identity)
) {{clustered}};
