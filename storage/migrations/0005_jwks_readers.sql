-- Families of programs that read the JWKS, and when they last did: who has read it
-- before the next key was published and not since may not know that key.
CREATE TABLE jwks_readers (
    family  {{text}} PRIMARY KEY NOT NULL CHECK (family <> ''),
    fetches BIGINT NOT NULL DEFAULT 0,
    seen_at BIGINT NOT NULL DEFAULT 0
);
