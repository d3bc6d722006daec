-- The issuers whose tokens prove a client, as a JSON list; '' for none.
ALTER TABLE clients ADD COLUMN federations {{text}} NOT NULL DEFAULT '';
