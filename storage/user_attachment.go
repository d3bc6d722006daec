package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Attached is what hangs on an account: the ways in, and what they opened.
type Attached struct {
	Factors    []Factor   // the password included
	Identities []Identity // the oldest first, as the factors
	Sessions   int64      // that live
	Grants     int64      // that live, with or without a session
}

// Factor is something that a user proves to be the user with.
type Factor struct {
	Kind      string // password, totp, webauthn or recovery
	Name      string // given by the user; "" for none
	CreatedAt Millis
	UsedAt    Millis // 0: not noted
}

// IsEmpty reports whether nothing hangs on the account.
func (a Attached) IsEmpty() bool {
	return len(a.Factors) == 0 && len(a.Identities) == 0 && a.Sessions == 0 && a.Grants == 0
}

// withoutPassword leaves the password out, for an act that replaces it.
func (a Attached) withoutPassword() Attached {
	var rest []Factor
	for _, f := range a.Factors {
		if f.Kind != "password" {
			rest = append(rest, f)
		}
	}
	a.Factors = rest
	return a
}

// AttachedTo lists what hangs on a user's account; nothing for a user who is gone.
func (db *DB) AttachedTo(ctx context.Context, userID string, at time.Time) (Attached, error) {
	if err := refuseImpossible(userID); err != nil {
		return Attached{}, fmt.Errorf("list what is attached: %w", err)
	}
	var a Attached
	err := db.read(ctx, "list what is attached", func(q *gorm.DB) (err error) {
		a, err = attachedTo(q, userID, at)
		return err
	})
	return a, err
}

func attachedTo(tx *gorm.DB, userID string, at time.Time) (Attached, error) {
	var a Attached
	var sessions, grants int64
	err := errors.Join(
		tx.Raw(`SELECT kind, name, created_at, used_at FROM credentials WHERE user_id = ? ORDER BY created_at, kind, id`, userID).Scan(&a.Factors).Error,
		tx.Where("user_id = ?", userID).Order("created_at, connector, subject").Find(&a.Identities).Error,
		tx.Raw(`SELECT COUNT(*) FROM sessions s WHERE s.user_id = ? AND ?`, userID, liveSession(at)).Scan(&sessions).Error,
		tx.Raw(`SELECT COUNT(*) FROM grants g WHERE g.user_id = ? AND ?`, userID, liveGrant(at)).Scan(&grants).Error,
	)
	a.Sessions, a.Grants = sessions, grants
	return a, err
}

// UnprovenPolicy says what an operator's act does with what is attached to an account
// whose address nobody has proven: whoever attached it may not be the person whom
// the operator means.
type UnprovenPolicy int

const (
	StopIfAttached UnprovenPolicy = iota // *UnprovenError lists it, and nothing is changed
	EvictAttached                        // it is deleted first, as by a proof of the address
	KeepAttached                         // the operator vouches for it
)

// UnprovenError refuses an act because the account's address is only claimed and
// something is attached to the account.
type UnprovenError struct {
	Email    string
	Attached Attached
}

// Error says what may be another person's.
func (e *UnprovenError) Error() string {
	if e.Email == "" {
		return "this user has no address that anybody has proven, so what is attached to the account may be somebody else's"
	}
	return fmt.Sprintf("nobody has proven that %s belongs to this user, so what is attached to the account may be somebody else's", e.Email)
}

// Unwrap gives ErrUnproven.
func (e *UnprovenError) Unwrap() error { return ErrUnproven }

// clearClaimed decides about an act that opens more of a claimed account, in the
// transaction of that act: with nothing attached, or an address that is proven, it
// goes on, as it does for a user without an address: nobody has claimed one. attached is
// what counts for the act. It reports whether it has evicted.
func clearClaimed(tx *gorm.DB, u User, attached Attached, do UnprovenPolicy, by By) (evicted bool, err error) {
	switch {
	case u.EmailVerified, u.EmailCanonical == "", attached.IsEmpty(), do == KeepAttached:
		return false, nil
	case do == EvictAttached:
		return true, evict(tx, u.ID, true, by)
	}
	return false, &UnprovenError{Email: u.Email, Attached: attached}
}
