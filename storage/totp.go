package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// TOTP is an authenticator app.
type TOTP struct {
	ID        string // of the credential; the secret is sealed for it
	Secret    []byte // sealed
	Step      int64  // of the last code that was used
	CreatedAt Millis
	UsedAt    Millis // 0: not since it was added
}

// TOTPEnrolment is the input of DB.AddTOTP.
type TOTPEnrolment struct {
	FactorChange
	ID     string   // of the new credential
	Secret []byte   // sealed for that ID
	Step   int64    // of the code that confirmed the app; it cannot be used again
	Codes  [][]byte // hashes of recovery codes, for a user who has none
}

// AddTOTP adds an authenticator app, and the recovery codes if the user has none. All other sessions
// and all grants of the user end, see changeFactors; the session of this browser then has two
// factors. It reports whether the codes were stored. It records the events factor.added and
// session.ended.
//
// ErrConflict: the user has an app already. ErrRevoked, ErrNotFresh. ErrUnproven, ErrAddressProofDue:
// see requireOwner.
func (db *DB) AddTOTP(ctx context.Context, e TOTPEnrolment, at time.Time) (s Session, newCodes bool, err error) {
	if err := refuseImpossible(e.ID); err != nil {
		return Session{}, false, fmt.Errorf("add authenticator app: %w", err)
	}
	if len(e.Secret) == 0 || e.Step <= 0 {
		return Session{}, false, errors.New("add authenticator app: the secret or the step is missing")
	}
	s, err = db.addFactor(ctx, "add authenticator app", e.FactorChange, func(tx *gorm.DB) error {
		if err := requireProgram(tx, programWithSecondFactors); err != nil {
			return err
		}
		err := tx.Exec(`INSERT INTO credentials (id, user_id, kind, secret, number, proven_at, created_at, updated_at) VALUES (?, ?, 'totp', ?, ?, ?, ?, ?)`,
			e.ID, e.UserID, e.Secret, e.Step, At(at), At(at), At(at)).Error
		if err != nil {
			return err
		}
		if newCodes, err = addFirstCodes(tx, e.UserID, e.Codes, at); err != nil {
			return err
		}
		return db.recordFactor(tx, FactorAdded, MailFactorAdded, FactorTOTP, e.UserID, By{From: e.From, At: at})
	}, func(s *Session) { s.addSecondFactor("otp", "mfa") }, at)
	return s, newCodes && err == nil, err
}

// factorsAtOnce is how many credentials RewrapFactors reads in one transaction.
const factorsAtOnce = 500

// RewrapFactors seals the secrets of the authenticator apps again, some hundred in one
// transaction, also those that the undo of a changed address would restore. seal gets the ID of the
// credential and the sealed secret. It returns the new sealed secret, or nil to keep the old one;
// it may be called twice for a secret. After an error, RewrapFactors can be called again.
func (db *DB) RewrapFactors(ctx context.Context, seal func(id string, sealed []byte) ([]byte, error)) error {
	for _, query := range []string{
		`SELECT '' AS change_id, id, secret FROM credentials WHERE CAST(? AS TEXT) = '' AND id > ? AND kind = 'totp' ORDER BY id LIMIT ?`,
		`SELECT change_id, id, secret FROM former_credentials WHERE (change_id, id) > (?, ?) AND kind = 'totp' ORDER BY change_id, id LIMIT ?`,
	} {
		if err := db.rewrapFactors(ctx, query, seal); err != nil {
			return err
		}
	}
	return nil
}

// sealedFactor is the secret of an authenticator app.
type sealedFactor struct {
	ChangeID string // of the copy; "": the credential itself
	ID       string
	Secret   []byte
}

// rewrapFactors seals the secrets that the query finds, after the position of its first two
// parameters.
func (db *DB) rewrapFactors(ctx context.Context, query string, seal func(id string, sealed []byte) ([]byte, error)) error {
	if db.engine.HasRowLocks() {
		query += " " + forUpdate
	}
	for after := (sealedFactor{}); ; {
		var list []sealedFactor
		err := db.write(ctx, "rewrap factors", func(tx *gorm.DB) error {
			list = nil
			if err := tx.Raw(query, after.ChangeID, after.ID, factorsAtOnce).Scan(&list).Error; err != nil {
				return err
			}
			for _, f := range list {
				sealed, err := seal(f.ID, f.Secret)
				if err != nil {
					return fmt.Errorf("%w: %w", errCheckFailed, err)
				}
				if sealed == nil {
					continue
				}
				if err := f.replace(tx, sealed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(list) < factorsAtOnce {
			return err
		}
		after = list[len(list)-1]
	}
}

// replace stores another sealed secret.
func (f sealedFactor) replace(tx *gorm.DB, sealed []byte) error {
	if f.ChangeID == "" {
		return tx.Exec(`UPDATE credentials SET secret = ? WHERE id = ?`, sealed, f.ID).Error
	}
	return tx.Exec(`UPDATE former_credentials SET secret = ? WHERE change_id = ? AND id = ?`, sealed, f.ChangeID, f.ID).Error
}
