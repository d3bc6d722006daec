-- The role of administration of a user who is no administrator: helpdesk, auditor, or '' for none.
-- Administrators keep the column admin, which earlier programs read and write too; it takes precedence.
ALTER TABLE users ADD COLUMN lesser_role {{text}} NOT NULL DEFAULT '' CHECK (lesser_role IN ('', 'helpdesk', 'auditor'));
