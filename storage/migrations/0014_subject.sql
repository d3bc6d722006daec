-- The subject of a user at applications, if it is not the id: an import keeps the subjects of
-- a former system. It never changes, so each grant and each logout notice has a copy.
ALTER TABLE users ADD COLUMN subject {{text}} NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject <> '';
ALTER TABLE grants ADD COLUMN subject {{text}} NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN subject {{text}} NOT NULL DEFAULT '';

-- Pairwise subjects. sector is the sector identifier of a client that gets them, '' for other
-- clients. The secret of the subjects is sealed under the master key; there is none until the
-- first start of a server. Without it, all pairwise subjects would change.
ALTER TABLE clients ADD COLUMN sector {{text}} NOT NULL DEFAULT '';
CREATE TABLE subject_secret (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    sealed {{bytes}} NOT NULL
);
