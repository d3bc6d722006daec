-- The acr that every sign-in to a client must reach; '' for any.
ALTER TABLE clients ADD COLUMN require_acr {{text}} NOT NULL DEFAULT '';
