-- The groups that the upstream gave at the identity's last sign-in, '' for none. They go
-- with the identity's row.
ALTER TABLE identities ADD COLUMN groups {{text}} NOT NULL DEFAULT '';
CREATE INDEX identities_groups ON identities (connector, user_id) WHERE groups <> '';

-- The same of all identities of a user, so that a token needs no second table. The groups
-- that an operator gave stand in the column groups.
ALTER TABLE users ADD COLUMN upstream_groups {{text}} NOT NULL DEFAULT '';
CREATE INDEX users_upstream_groups ON users (id) WHERE upstream_groups <> '';
