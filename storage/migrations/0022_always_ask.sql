-- The moment since when a user wants to be asked for a passkey as second factor at each sign-in; 0:
-- never. An undo of a changed address restores the choice with the passkeys.
ALTER TABLE users ADD COLUMN always_ask_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE address_changes ADD COLUMN always_ask_at BIGINT NOT NULL DEFAULT 0;
