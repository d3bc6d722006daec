package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Arrival is how a person comes in through a connector: the input of
// DB.SignInThrough.
type Arrival struct {
	Identity  Identity // UserID is set for a user that exists, "" for a new one
	AttemptID string   // spent in the same transaction
	Until     Millis   // how long that must be remembered
	SignIn    SignIn   // UserID is taken from Identity

	// Known: the identity was the user's before. ErrConflict if it is no more.
	Known bool
	// ByPassword: the person has typed the account's password, and the identity is
	// only linked. The session then belongs to the password, not to the identity.
	ByPassword bool
	// NewUser is made, with a fresh id, when Identity has no UserID. It has no e-mail if
	// nobody vouches for one.
	NewUser User
	// Proof is set if the upstream vouches for Identity.Email, which is then proven
	// for the user, as in ProveAddress; a new user's counts as proven.
	Proof Voucher
	// FreshFor is Proof.FreshFor for the session that the browser came with.
	FreshFor time.Duration
	// Fill is what the upstream says of the person. It fills what is empty, and
	// later updates what the user has not edited.
	Fill Profile
}

// SignInThrough spends the attempt and signs a person in through a connector, in
// one transaction: the new user is made or the address of the old one proven, the
// identity is linked or noted as used, the session starts.
//
// ErrReplayed: the attempt was used before. ErrConflict: what the caller decided by
// is no longer so (the identity is another user's or was disconnected, the address
// is taken, proven or another one, the user became an administrator): decide again.
// ErrRevoked: the user is disabled or gone.
func (db *DB) SignInThrough(ctx context.Context, a Arrival, at time.Time) (Session, error) {
	if err := refuseImpossible(a.AttemptID, a.Identity.Connector, a.Identity.Issuer, a.Identity.Subject, a.SignIn.HandleHash); err != nil {
		return Session{}, fmt.Errorf("sign in through connector: %w", err)
	}
	settleUser := db.admitArrival
	if a.Identity.UserID == "" {
		var err error
		if a.NewUser, err = newcomer(a, at); err != nil {
			return Session{}, fmt.Errorf("sign in through connector: %w", err)
		}
		a.Identity.UserID, settleUser = a.NewUser.ID, createArrived
	}
	a.SignIn.UserID, a.SignIn.connector = a.Identity.UserID, a.Identity.Connector
	if !a.ByPassword {
		a.SignIn.through = a.Identity
	}
	var in entry
	err := db.write(ctx, "sign in through connector", func(tx *gorm.DB) (err error) {
		if err := spendAttempt(tx, a.AttemptID, a.Until); err != nil {
			return err
		}
		if err := settleUser(tx, a, at); err != nil {
			return err
		}
		if in, err = enter(tx, a.SignIn, at); err != nil {
			return err
		}
		if err := attach(tx, a, at); err != nil {
			return err
		}
		return noteEntry(tx, a.SignIn, in, at)
	})
	if err != nil {
		return Session{}, err
	}
	return in.Session, nil
}

// spendAttempt lets an upstream sign-in, or the proof it gave, count once. ErrReplayed.
func spendAttempt(tx *gorm.DB, id string, until Millis) error {
	fresh, err := spend(tx, spent{Kind: spentAttempt, ID: id, ExpiresAt: until})
	if err == nil && !fresh {
		err = ErrReplayed
	}
	return err
}

// newcomer is the user that is made if the identity has none.
func newcomer(a Arrival, at time.Time) (User, error) {
	u := a.NewUser
	u.ID, u.CreatedAt, u.UpdatedAt = NewID(UserPrefix), At(at), At(at)
	u.EmailVerified = a.Proof != "" && u.Email != ""
	var err error
	u.EmailCanonical, err = canonicalOrNone(u.Email)
	return u, err
}

func createArrived(tx *gorm.DB, a Arrival, at time.Time) error {
	row := a.NewUser
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	return record(tx, Event{
		Type: UserCreated, Outcome: Succeeded, UserID: row.ID, Connector: a.Identity.Connector, From: a.SignIn.From,
	}, at)
}

// admitArrival checks, under the user's lock, that the caller's decision still
// holds, and proves the address.
func (db *DB) admitArrival(tx *gorm.DB, a Arrival, at time.Time) error {
	userID := a.Identity.UserID
	if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
		return err
	}
	if a.Known {
		linked, err := isLinked(tx, a.Identity)
		if err != nil {
			return err
		}
		if !linked {
			return ErrConflict // disconnected meanwhile
		}
	} else if !a.ByPassword && a.Identity.Email != "" {
		if err := checkFound(tx, a); err != nil {
			return err
		}
	}
	if a.Proof == "" {
		return nil
	}
	own, err := ownSession(tx, userID, sessionKey{"handle_hash", a.SignIn.Replaces}, a.FreshFor, at)
	if err != nil {
		return err
	}
	_, err = prove(tx, Proof{UserID: userID, Email: a.Identity.Email, By: a.Proof, From: a.SignIn.From}, own, at)
	if a.Known && errors.Is(err, ErrConflict) {
		err = nil // an address that is not the account's; the identity opens it all the same
	}
	return err
}

// checkFound is ErrConflict unless the user, whom the address alone has found, has
// that address still, proven or not as the caller saw it. No upstream opens the account
// of an administrator by its address.
func checkFound(tx *gorm.DB, a Arrival) error {
	var found []User
	err := tx.Select("email_canonical", "email_verified", "admin").Where("id = ?", a.Identity.UserID).Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return err // a user who is gone is refused at the sign-in
	}
	u := found[0]
	canonical, err := CanonicalEmail(a.Identity.Email)
	if err != nil || canonical != u.EmailCanonical || u.EmailVerified != (a.Proof == "") || u.Admin {
		return ErrConflict
	}
	return nil
}

// attach links the identity, or notes it as used, and takes over what the upstream says.
func attach(tx *gorm.DB, a Arrival, at time.Time) error {
	if err := link(tx, a.Identity, By{From: a.SignIn.From, At: at}); err != nil {
		return err
	}
	return follow(tx, a.Identity, a.Fill, at)
}

// follow takes over what the upstream says of the user, field by field where the
// user's is still what the upstream said before: what a user has edited or
// emptied stays so, and what the upstream leaves out is not emptied. The identity
// is linked already.
func follow(tx *gorm.DB, i Identity, p Profile, at time.Time) error {
	said := saidOf(p)
	detail, err := detailOf(tx, i)
	if err != nil {
		return err
	}
	var u User
	if err := tx.Where("id = ?", i.UserID).Take(&u).Error; err != nil {
		return err
	}
	before, edited := detail.Said, false
	for _, f := range []struct{ now, before, own *string }{
		{&said.Name, &before.Name, &u.Name}, {&said.GivenName, &before.GivenName, &u.GivenName},
		{&said.FamilyName, &before.FamilyName, &u.FamilyName}, {&said.Picture, &before.Picture, &u.Picture},
		{&said.Locale, &before.Locale, &u.Locale},
	} {
		switch {
		case *f.now == "":
			*f.now = *f.before
		case *f.own == *f.before && *f.own != *f.now:
			*f.own, edited = *f.now, true
		}
	}
	if said != before {
		detail.Said = said
		if err := setDetail(tx, i, detail); err != nil {
			return err
		}
	}
	if !edited {
		return nil
	}
	return tx.Exec(`UPDATE users SET name = ?, given_name = ?, family_name = ?, picture = ?, locale = ?,
			updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END -- never the same twice
		WHERE id = ?`, u.Name, u.GivenName, u.FamilyName, u.Picture, u.Locale, At(at), At(at), i.UserID).Error
}

func saidOf(p Profile) Said {
	return Said{
		Name: cleanText(p.Name, longestName), GivenName: cleanText(p.GivenName, longestName), FamilyName: cleanText(p.FamilyName, longestName),
		Picture: p.Picture, Locale: cleanText(p.Locale, longestName),
	}
}
