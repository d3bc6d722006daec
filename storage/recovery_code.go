package storage

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// recordRecoveryCode records that a recovery code was used, and tells the user.
func (db *DB) recordRecoveryCode(tx *gorm.DB, s SignIn, sessionID string, at time.Time) error {
	var left int64
	if err := tx.Raw(`SELECT COUNT(*) FROM credentials WHERE user_id = ? AND kind = 'recovery'`, s.UserID).Scan(&left).Error; err != nil {
		return err
	}
	by := By{From: s.From, At: at}
	notice := MailDraft{Kind: MailRecoveryCodeUsed, UserID: s.UserID, ClientID: s.ClientID, Facts: MailFacts{CodesLeft: &left}}
	if err := db.notify(tx, notice, by); err != nil {
		return err
	}
	return record(tx, Event{
		Type: RecoveryCodeUsed, Outcome: Succeeded, UserID: s.UserID, ClientID: s.ClientID, SessionID: sessionID, From: s.From,
		Detail: map[string]any{"left": left},
	}, at)
}

// ReplaceRecoveryCodes replaces the recovery codes of a user by new ones. All other sessions and
// all grants of the user end, see changeFactors. It records the events recovery_codes.replaced and
// session.ended.
//
// ErrNotFound: the user has nothing for which a recovery code counts, see usesRecoveryCodes.
// ErrRevoked, ErrNotFresh.
func (db *DB) ReplaceRecoveryCodes(ctx context.Context, c FactorChange, codes [][]byte, at time.Time) (Session, error) {
	return db.changeFactors(ctx, "replace recovery codes", c, func(tx *gorm.DB) error {
		needed, err := hasStrongFactors(tx, c.UserID)
		if err != nil {
			return err
		}
		if !needed {
			return ErrNotFound
		}
		if err := replaceCodes(tx, c.UserID, codes, at); err != nil {
			return err
		}
		return db.recordFactor(tx, RecoveryCodesReplaced, MailRecoveryCodesReplaced, "", c.UserID, By{From: c.From, At: at})
	}, nil, at)
}

// replaceCodes deletes the recovery codes of a user and stores new ones.
func replaceCodes(tx *gorm.DB, userID string, codes [][]byte, at time.Time) error {
	if err := tx.Exec(`DELETE FROM credentials WHERE user_id = ? AND kind = 'recovery'`, userID).Error; err != nil {
		return err
	}
	for _, code := range codes {
		err := tx.Exec(`INSERT INTO credentials (id, user_id, kind, secret, created_at, updated_at) VALUES (?, ?, 'recovery', ?, ?, ?)`,
			NewID("crd_"), userID, code, At(at), At(at)).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// addFirstCodes stores recovery codes for a user who has none, and reports whether it did. Codes that
// the user has saved stay valid when another factor is added.
func addFirstCodes(tx *gorm.DB, userID string, codes [][]byte, at time.Time) (bool, error) {
	var n int64
	if err := tx.Raw(`SELECT COUNT(*) FROM credentials WHERE user_id = ? AND kind = 'recovery'`, userID).Scan(&n).Error; err != nil || n > 0 {
		return false, err
	}
	return len(codes) > 0, replaceCodes(tx, userID, codes, at)
}

// dropUselessCodes deletes the recovery codes of a user who has no factor any more for which they
// count.
func dropUselessCodes(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM credentials WHERE user_id = ? AND kind = 'recovery' AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = credentials.user_id AND `+usesRecoveryCodes+`)`, userID).Error
}
