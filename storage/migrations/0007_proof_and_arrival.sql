-- Sessions and grants know which upstream identity opened them, so that removing the
-- identity or its connector can end exactly those. Rows from before say ''.
ALTER TABLE sessions ADD COLUMN connector {{text}} NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN identity {{text}} NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN connector {{text}} NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN identity {{text}} NOT NULL DEFAULT '';

-- When the person last arrived here. auth_time is when they proved who they are; 0 if
-- nobody knows, which is what an upstream without auth_time leaves.
ALTER TABLE sessions ADD COLUMN arrived_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET arrived_at = auth_time;
-- Until now arriving through an upstream counted as a proof. Which upstreams named a time
-- is not known any more.
UPDATE sessions SET auth_time = 0 WHERE amr LIKE '%"fed"%';
-- What the ID tokens of a grant state where only best effort made the sign-in fresh enough.
ALTER TABLE grants ADD COLUMN stated_at BIGINT NOT NULL DEFAULT 0;

-- Clients that exist keep receiving addresses that are not proven.
ALTER TABLE clients ADD COLUMN unverified_email BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE clients SET unverified_email = TRUE;
-- '' answers login_required where an upstream cannot ask again; 'best-effort' accepts
-- the arrival.
ALTER TABLE clients ADD COLUMN prompt_login {{text}} NOT NULL DEFAULT '';
-- client_secret_basic was the default of web and service clients: nobody chose it.
UPDATE clients SET metadata = REPLACE(REPLACE(metadata,
        '"token_endpoint_auth_method":"client_secret_basic",', ''),
        ',"token_endpoint_auth_method":"client_secret_basic"', '')
    WHERE type IN ('web', 'service');

-- preferred_username in the form that is compared, '' where it is not (yet) unique.
ALTER TABLE users ADD COLUMN username_folded {{text}} NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_username ON users (username_folded) WHERE username_folded <> '';

-- Equal events of one minute are one row: times counts them, latest tells of the last.
ALTER TABLE events ADD COLUMN latest {{text}} NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN merge_key {{text}} NOT NULL DEFAULT '';
CREATE UNIQUE INDEX events_merged ON events (merge_key) WHERE merge_key <> '';

-- Of the families that read the JWKS those are kept that come often: visits counts the
-- minutes in which a family came. network is where its row began; no network may begin
-- many.
ALTER TABLE jwks_readers ADD COLUMN visits BIGINT NOT NULL DEFAULT 1;
ALTER TABLE jwks_readers ADD COLUMN network {{text}} NOT NULL DEFAULT '';

-- Which connectors the nodes serve, and until when that holds: one that no node serves
-- any more was removed, and its sessions end.
CREATE TABLE served_connectors (
    connector  {{text}} NOT NULL CHECK (connector <> ''),
    node       {{text}} NOT NULL CHECK (node <> ''),
    expires_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connector, node)
) {{clustered}};
CREATE INDEX sessions_connector ON sessions (connector, id) WHERE connector <> '' AND ended_at = 0;

-- Users whom nobody vouched for have no e-mail; the index of e-mails leaves them out.
CREATE INDEX users_without_email ON users (id) WHERE email_canonical = '';
