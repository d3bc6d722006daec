-- The RP ID to which passkeys belong (WebAuthn, section 4): the host of the issuer, or a parent
-- domain of it. That of the instance is stored when the first passkey is added. A passkey of
-- another RP ID cannot be used. In the other two tables, '' stands for that of the instance:
-- earlier programs stored none.
ALTER TABLE instance ADD COLUMN rp_id {{text}} NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN rp_id {{text}} NOT NULL DEFAULT '';
ALTER TABLE former_credentials ADD COLUMN rp_id {{text}} NOT NULL DEFAULT '';
