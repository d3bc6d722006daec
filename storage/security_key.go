package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// programWithSecurityKeys is the number of the migration that came with security keys.
const programWithSecurityKeys = 19

// allowSecurityKeys lets credentials have the kind security_key. SQLite cannot change a constraint,
// so the table is made anew there.
func allowSecurityKeys(tx *gorm.DB) error {
	if tx.Name() == "postgres" {
		return tx.Exec(`ALTER TABLE credentials DROP CONSTRAINT credentials_kind_check,
			ADD CONSTRAINT credentials_kind_check CHECK (kind IN ('password', 'totp', 'webauthn', 'security_key', 'recovery'))`).Error
	}
	return engine.RunScript(tx, `
CREATE TABLE wider_credentials (
    id         TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('password', 'totp', 'webauthn', 'security_key', 'recovery')),
    name       TEXT NOT NULL DEFAULT '',
    secret     BLOB NOT NULL,
    handle     TEXT NOT NULL DEFAULT '',
    detail     TEXT NOT NULL DEFAULT '',
    number     BIGINT NOT NULL DEFAULT 0,
    proven_at  BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL DEFAULT 0,
    rp_id      TEXT NOT NULL DEFAULT ''
);
INSERT INTO wider_credentials (id, user_id, kind, name, secret, handle, detail, number, proven_at, used_at, created_at, updated_at, rp_id)
    SELECT id, user_id, kind, name, secret, handle, detail, number, proven_at, used_at, created_at, updated_at, rp_id FROM credentials;
DROP TABLE credentials;
ALTER TABLE wider_credentials RENAME TO credentials;
CREATE INDEX credentials_user ON credentials (user_id, kind);
CREATE UNIQUE INDEX credentials_one_password ON credentials (user_id) WHERE kind = 'password';
CREATE UNIQUE INDEX credentials_one_totp ON credentials (user_id) WHERE kind = 'totp';
CREATE UNIQUE INDEX credentials_handle ON credentials (handle) WHERE handle <> '';
`)
}

// SecurityKeyAddition is the input of DB.AddSecurityKey.
type SecurityKeyAddition struct {
	FactorChange
	Key         Passkey  // Name, Handle, RPID, PublicKey, Counter and Detail
	Codes       [][]byte // hashes of recovery codes, for a user who has none
	ChallengeID string   // can be used once
	Until       Millis   // how long the use of ChallengeID must be remembered
}

// AddSecurityKey adds a security key to an account, and the recovery codes if the user has none. From
// then on, the user is asked for a second factor at each sign-in. All other sessions and all grants
// of the user end, see changeFactors. The session of this browser then has two factors. It does not
// resist phishing: nothing that a new key sends is signed, so that is stated after its first use. It
// reports whether the codes were stored. It records the events factor.added and session.ended.
//
// ErrReplayed: the challenge was used before. ErrRevoked, ErrNotFresh. ErrConflict: the key belongs
// to an account already. ErrTooManyPasskeys. ErrUnproven, ErrAddressProofDue: see requireOwner. ErrOtherRPID.
func (db *DB) AddSecurityKey(ctx context.Context, a SecurityKeyAddition, at time.Time) (s Session, newCodes bool, err error) {
	k := a.Key
	k.UserID, k.Kind, k.ProvenAt = a.UserID, FactorSecurityKey, At(at)
	if err := refuseImpossible(k.Handle, k.RPID, a.ChallengeID); err != nil {
		return Session{}, false, fmt.Errorf("add security key: %w", err)
	}
	if len(k.PublicKey) == 0 || k.RPID == "" {
		return Session{}, false, errors.New("add security key: the public key or the RP ID is empty")
	}
	s, err = db.addFactor(ctx, "add security key", a.FactorChange, func(tx *gorm.DB) (err error) {
		if err := spendChallenge(tx, a.ChallengeID, a.Until); err != nil {
			return err
		}
		if err := requireProgram(tx, programWithSecurityKeys); err != nil {
			return err
		}
		if err := insertPasskey(tx, k, at); err != nil {
			return err
		}
		if newCodes, err = addFirstCodes(tx, k.UserID, a.Codes, at); err != nil {
			return err
		}
		return db.recordFactor(tx, FactorAdded, MailFactorAdded, FactorSecurityKey, k.UserID, By{From: a.From, At: at})
	}, func(s *Session) { s.addSecondFactor("mfa") }, at)
	return s, newCodes && err == nil, err
}
