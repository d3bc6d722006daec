package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// APICall is a call of the administration API with an Idempotency-Key.
type APICall struct {
	ID        string // hash of the caller, the path and the key
	Body      string // keyed hash of the request
	Attempt   string // the only one that may act
	StartedAt Millis // of the attempt
	ActedAt   Millis // of the act; 0: the attempt has not acted yet
	Answer    string // sealed; "": the attempt has not answered, or the user was deleted
	UserID    string // of the user in the answer; "": none
	ExpiresAt Millis
}

// CallAttempt is one attempt of an APICall. The zero value is for acts without an Idempotency-Key.
type CallAttempt struct {
	CallID, Attempt string
}

// attemptLife is the time after which an attempt that has not acted counts as lost, for example
// because its process was killed. It is longer than any request.
const attemptLife = 2 * time.Minute

// IsRunning reports whether the attempt may still answer.
func (c APICall) IsRunning(at time.Time) bool {
	return c.Answer == "" && c.StartedAt > At(at.Add(-attemptLife))
}

// StartCall reserves a call for an attempt with this body, until c.ExpiresAt. It reports whether the
// attempt may act. If not, it returns the stored call: it has acted, or another attempt is running. A
// lost attempt that has not acted is replaced, and cannot act any more.
func (db *DB) StartCall(ctx context.Context, c APICall, at time.Time) (stored APICall, mayAct bool, err error) {
	if err := refuseImpossible(c.ID, c.Attempt); err != nil {
		return APICall{}, false, fmt.Errorf("start call: %w", err)
	}
	err = db.write(ctx, "start call", func(tx *gorm.DB) (err error) {
		mayAct, err = changeOne(tx, `INSERT INTO api_calls (id, body, attempt, started_at, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET body = excluded.body, attempt = excluded.attempt, started_at = excluded.started_at, acted_at = 0, answer = '', user_id = '',
				expires_at = excluded.expires_at
			WHERE api_calls.expires_at <= ? OR (api_calls.acted_at = 0 AND api_calls.started_at <= ?)`,
			c.ID, c.Body, c.Attempt, At(at), c.ExpiresAt, At(at), At(at.Add(-attemptLife)))
		if err != nil {
			return err
		}
		return tx.Where("id = ?", c.ID).Take(&stored).Error
	})
	return stored, mayAct && err == nil, err
}

// FinishCall stores the answer of an attempt, for calls that repeat it. userID is the user in the
// answer, or "": the answer is deleted with the user, and is not stored if the user is deleted
// already. If another attempt has replaced this one, it does nothing.
func (db *DB) FinishCall(ctx context.Context, a CallAttempt, answer, userID string, at time.Time) error {
	return db.write(ctx, "finish call", func(tx *gorm.DB) error {
		err := tx.Exec(`UPDATE api_calls SET answer = ?, user_id = ?, acted_at = CASE WHEN acted_at = 0 THEN ? ELSE acted_at END WHERE id = ? AND attempt = ?`,
			answer, userID, At(at), a.CallID, a.Attempt).Error
		if err != nil || userID == "" {
			return err
		}
		return tx.Exec(`UPDATE api_calls SET answer = '', started_at = 0 WHERE id = ? AND attempt = ? AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = api_calls.user_id)`,
			a.CallID, a.Attempt).Error
	})
}

// forgetAnswers deletes the answers that describe a user. The calls still count as made, and no longer as
// running: none of them acts again.
func forgetAnswers(tx *gorm.DB, userID string) error {
	return tx.Exec(`UPDATE api_calls SET answer = '', started_at = 0 WHERE user_id = ? AND user_id <> ''`, userID).Error
}

// ReleaseCall deletes a call whose attempt has done nothing, so that it can be made again at once. If
// the attempt has acted, it does nothing.
func (db *DB) ReleaseCall(ctx context.Context, a CallAttempt) error {
	return db.write(ctx, "release call", func(tx *gorm.DB) error {
		return tx.Exec(`DELETE FROM api_calls WHERE id = ? AND attempt = ? AND acted_at = 0`, a.CallID, a.Attempt).Error
	})
}

// markActed notes in the transaction of an act that its attempt has acted. So a repeated call never
// acts twice, even if the process is killed before it answers. ErrConflict: another attempt has replaced
// this one.
func (a CallAttempt) markActed(tx *gorm.DB, at time.Time) error {
	if a == (CallAttempt{}) {
		return nil
	}
	marked, err := changeOne(tx, `UPDATE api_calls SET acted_at = CASE WHEN acted_at = 0 THEN ? ELSE acted_at END WHERE id = ? AND attempt = ?`,
		At(at), a.CallID, a.Attempt)
	if err == nil && !marked {
		err = fmt.Errorf("another attempt of this call has begun: %w", ErrConflict)
	}
	return err
}
