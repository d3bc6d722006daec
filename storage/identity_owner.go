package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Owner is the user of an identity, or a user with the same email address.
type Owner struct {
	User   User // may be disabled; the zero User if there is no such user
	Linked bool // the identity is linked to the user; otherwise only the address matches
}

// OwnerOf finds the user of a linked identity, or otherwise the user with this email address. If
// email is "", it looks for the link only.
func (db *DB) OwnerOf(ctx context.Context, i Identity, email string) (Owner, error) {
	owner, err := db.linkedOwner(ctx, i)
	if err != nil || owner.Linked || email == "" {
		return owner, err
	}
	found, _, err := db.UserByEmail(ctx, email)
	if errors.Is(err, ErrNotFound) {
		return Owner{}, nil
	}
	if err != nil {
		return Owner{}, err
	}
	// The same person may have signed in with another tab meanwhile. The account with this
	// address is then the new one, to which the identity is linked.
	if owner, err = db.linkedOwner(ctx, i); err != nil || owner.Linked {
		return owner, err
	}
	return Owner{User: found}, nil
}

// linkedOwner finds the user of a linked identity. It returns the zero Owner if there is none.
func (db *DB) linkedOwner(ctx context.Context, i Identity) (Owner, error) {
	if err := refuseImpossible(i.Connector, i.Issuer, i.Subject); err != nil {
		return Owner{}, fmt.Errorf("read linked user: %w", err)
	}
	var u User
	err := db.read(ctx, "read linked user", func(q *gorm.DB) error {
		return q.Raw(`SELECT u.* FROM users u JOIN identities i ON i.user_id = u.id
			WHERE i.connector = ? AND i.issuer = ? AND i.subject = ?`, i.Connector, i.Issuer, i.Subject).Take(&u).Error
	})
	if errors.Is(err, ErrNotFound) {
		return Owner{}, nil
	}
	return Owner{User: u, Linked: err == nil}, err
}
