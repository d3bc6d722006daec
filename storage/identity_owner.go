package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Owner is the user that an identity belongs to, or may belong to.
type Owner struct {
	User   User // disabled or not; the zero User if nobody is found
	Linked bool // the identity is linked to the user; else the user has the address
}

// OwnerOf finds the user that the identity is linked to, or else the user with this
// e-mail address. Of an identity without an address that counts ("") only the link is
// looked up.
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
	// The same person may have come in another tab meanwhile: the account that the
	// address finds is then the one just made, and linked.
	if owner, err = db.linkedOwner(ctx, i); err != nil || owner.Linked {
		return owner, err
	}
	return Owner{User: found}, nil
}

// linkedOwner finds the user that the identity is linked to; the zero Owner for none.
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
