package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Attached lists everything that is attached to an account: credentials, identities, sessions
// and grants.
type Attached struct {
	Factors    []Factor   // includes the password
	Identities []Identity // the oldest first, like the factors
	Sessions   int64      // live ones
	Grants     int64      // live ones, with or without a session
}

// Factor is a credential with which a user authenticates.
type Factor struct {
	Kind      string // password, totp, webauthn, security_key or recovery
	Name      string // given by the user; "": none
	CreatedAt Millis
	UsedAt    Millis // 0: not recorded
	Unusable  bool   // it belongs to another RP ID, so it is no way to sign in
}

// IsEmpty reports whether nothing is attached to the account.
func (a Attached) IsEmpty() bool {
	return len(a.Factors) == 0 && len(a.Identities) == 0 && a.Sessions == 0 && a.Grants == 0
}

// withoutPassword returns a without the password, for an act that replaces the password.
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

// AttachedTo lists everything that is attached to a user's account. For a deleted user the list
// is empty.
func (db *DB) AttachedTo(ctx context.Context, userID string, at time.Time) (Attached, error) {
	if err := refuseImpossible(userID); err != nil {
		return Attached{}, fmt.Errorf("list attachments: %w", err)
	}
	var a Attached
	err := db.read(ctx, "list attachments", func(q *gorm.DB) (err error) {
		a, err = attachedTo(q, userID, at)
		return err
	})
	return a, err
}

func attachedTo(tx *gorm.DB, userID string, at time.Time) (Attached, error) {
	var a Attached
	var sessions, grants int64
	err := errors.Join(
		tx.Raw(`SELECT c.kind, c.name, c.created_at, c.used_at, NOT (`+ofOwnHost("c")+`) AS unusable
			FROM credentials c WHERE c.user_id = ? ORDER BY c.created_at, c.kind, c.id`, userID).Scan(&a.Factors).Error,
		tx.Where("user_id = ?", userID).Order("created_at, connector, subject").Find(&a.Identities).Error,
		tx.Raw(`SELECT COUNT(*) FROM sessions s WHERE s.user_id = ? AND ?`, userID, liveSession(at)).Scan(&sessions).Error,
		tx.Raw(`SELECT COUNT(*) FROM grants g WHERE g.user_id = ? AND ?`, userID, liveGrant(at)).Scan(&grants).Error,
	)
	a.Sessions, a.Grants = sessions, grants
	return a, err
}

// UnprovenPolicy is for acts of an operator that give more rights to an account with an
// unverified address. It decides about the attachments of the account, because they may belong
// to another person than the operator expects.
type UnprovenPolicy int

const (
	StopIfAttached UnprovenPolicy = iota // fail with *UnprovenError and change nothing
	EvictAttached                        // delete the attachments first, as a proof of the address does
	KeepAttached                         // keep the attachments; the operator vouches for them
)

// UnprovenError refuses an act because the account's address is not verified and something is
// attached to the account.
type UnprovenError struct {
	Email    string
	Attached Attached
}

// Error says which address is not verified.
func (e *UnprovenError) Error() string {
	if e.Email == "" {
		return "this user has no verified email address, so the credentials and sessions of this account may belong to another person"
	}
	return fmt.Sprintf("the email address %s of this user is not verified, so the credentials and sessions of this account may belong to another person", e.Email)
}

// Unwrap returns ErrUnproven.
func (e *UnprovenError) Unwrap() error { return ErrUnproven }

// evictIfUnproven runs before an act that gives an account more rights, in the same transaction.
// It applies the policy do to the attachments that count for the act, and reports whether it has
// evicted. It does nothing if nothing is attached, if the address is verified, or if the account
// has no address.
func evictIfUnproven(tx *gorm.DB, u User, attached Attached, do UnprovenPolicy, by By) (evicted bool, err error) {
	switch {
	case u.EmailVerified, u.EmailCanonical == "", attached.IsEmpty(), do == KeepAttached:
		return false, nil
	case do == EvictAttached:
		return true, evict(tx, u.ID, true, by)
	}
	return false, &UnprovenError{Email: u.Email, Attached: attached}
}
