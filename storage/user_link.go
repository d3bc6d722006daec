package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// LinkedUser is the input of DB.CreateUserByLink.
type LinkedUser struct {
	Link LinkRef // of kind LinkSignUp or LinkInvitation
	User User    // the new user, without an address
	Hash string  // of the password
	From Origin  // the person who opened the link
}

// CreateUserByLink spends a link and creates its user with a password hash, in one transaction:
// an account exists only if its link is spent, and the other way round. The user gets the address
// of the link's row. It counts as verified if the link was mailed to it. Roles, groups and rights
// come from the row of an invitation alone, and are ignored in n.User. It records the event
// user.created with the kind of the link as the reason, and invitation.used.
//
// A link never opens an account that exists, not even one with an unverified address. Otherwise a
// person who only wants a new account would get the roles of an older one. The reset of the
// password proves the address and evicts.
//
// *DeadLinkError: the link cannot be used. Its code is link_address_taken if an account with the
// address was created after the link, or another user can still restore the address, and link_ended
// if the inviter is no administrator any more. Nothing is changed. ErrUsernameTaken, ErrSubjectTaken.
func (db *DB) CreateUserByLink(ctx context.Context, n LinkedUser, at time.Time) (u User, err error) {
	if n.Hash == "" {
		return User{}, errors.New("create user by link: the hash is empty")
	}
	if n.Link.Kind != LinkSignUp && n.Link.Kind != LinkInvitation {
		return User{}, &DeadLinkError{n.Link.Kind, "link_ended"}
	}
	err = db.write(ctx, "create user by link", func(tx *gorm.DB) error {
		l, err := spendLink(tx, n.Link, at)
		if err != nil {
			return err
		}
		invited, err := l.Invitation()
		if err != nil {
			return err
		}
		u = n.User
		invited.applyTo(&u, l)
		if u, err = newUser(u, at); err != nil {
			return fmt.Errorf("create user by link: %w", err)
		}
		err = db.insertUser(tx, u, n.Hash, string(l.Kind), By{From: n.From, At: at})
		if engine.IsUnique(err) || errors.Is(err, ErrAddressReserved) {
			return &DeadLinkError{l.Kind, "link_address_taken"}
		}
		if err != nil || l.Kind != LinkInvitation {
			return err
		}
		return db.settleInvitation(tx, l, invited, u, By{From: n.From, At: at})
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// endNewAccountLinks makes the links invalid that create an account with the address of a user.
// They contain the address, and a link from before the deletion of an account must not create
// it again.
func endNewAccountLinks(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM mail_links WHERE kind IN (?, ?) AND holder = (SELECT u.email_canonical FROM users u WHERE u.id = ? AND u.email_canonical <> '')`,
		LinkSignUp, LinkInvitation, userID).Error
}
