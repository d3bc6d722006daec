package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ConnectorSignIn is how a person comes in through a connector: the input of
// DB.SignInThrough.
type ConnectorSignIn struct {
	Identity  Identity // UserID is set for a user that exists, "" for a new one
	AttemptID string   // spent in the same transaction
	Until     Millis   // how long that must be remembered
	SignIn    SignIn   // UserID is taken from Identity

	// Linked: the identity was the user's before. ErrConflict if it is no more.
	Linked bool
	// NewUser is made, with a fresh id, when Identity has no UserID. It has no e-mail if
	// nobody vouches for one.
	NewUser User
	// Proof is set if the upstream vouches for Identity.Email, which is then proven
	// for the user, as in ProveAddress; a new user's counts as proven.
	Proof Voucher
	// FreshFor is AddressAddressAddressProof.FreshFor for the session that the browser came with.
	FreshFor time.Duration
	// Fill is what the upstream says of the person. It fills what is empty, and
	// later updates what the user has not edited. Its PreferredUsername counts for a new
	// user alone; if another user has it, or one that looks like it, it is stored and is
	// not unique.
	Fill Profile
	// Groups are what the upstream says of the person's groups; nil: nothing is known of
	// them, and they stay as they are.
	Groups *AssertedGroups
}

// SignInThrough spends the attempt and signs a person in through a connector, in
// one transaction: the new user is made or the address of the old one proven, the
// identity is linked or noted as used, the session starts.
//
// ErrReplayed: the attempt was used before. ErrConflict: what the caller decided by
// is no longer so (the identity is another user's or was disconnected, the address
// is taken, proven or another one, the user became an administrator): decide again.
// ErrRevoked: the user is disabled or gone.
func (db *DB) SignInThrough(ctx context.Context, a ConnectorSignIn, at time.Time) (Session, error) {
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
	a.SignIn.through = a.Identity
	in, err := db.arrive(ctx, a, settleUser, at)
	if errors.Is(err, ErrUsernameTaken) { // since createArrived looked: it sees the other now
		in, err = db.arrive(ctx, a, settleUser, at)
	}
	if err != nil {
		return Session{}, err
	}
	return in.Session, nil
}

// arrive is the transaction of SignInThrough.
func (db *DB) arrive(ctx context.Context, a ConnectorSignIn, settleUser func(*gorm.DB, ConnectorSignIn, time.Time) error, at time.Time) (in entry, err error) {
	err = db.write(ctx, "sign in through connector", func(tx *gorm.DB) (err error) {
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
	return in, err
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
func newcomer(a ConnectorSignIn, at time.Time) (User, error) {
	u := a.NewUser
	u.ID, u.CreatedAt, u.UpdatedAt = NewID(UserPrefix), At(at), At(at)
	u.EmailVerified = a.Proof != "" && u.Email != ""
	var err error
	u.EmailCanonical, err = canonicalOrNone(u.Email)
	return u, err
}

func createArrived(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	row := a.NewUser
	row.PreferredUsername = a.Fill.PreferredUsername
	if err := nameUser(tx, &row, row); err != nil {
		return err
	}
	if err := tx.Create(&row).Error; err != nil {
		return usernameRace(err)
	}
	return record(tx, Event{
		Type: UserCreated, Outcome: Succeeded, UserID: row.ID, Connector: a.Identity.Connector, From: a.SignIn.From,
	}, at)
}

// admitArrival checks, under the user's lock, that the caller's decision still
// holds, and proves the address.
func (db *DB) admitArrival(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	userID := a.Identity.UserID
	if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
		return err
	}
	if a.Linked {
		linked, err := isLinked(tx, a.Identity)
		if err != nil {
			return err
		}
		if !linked {
			return ErrConflict // disconnected meanwhile
		}
	} else if a.Identity.Email != "" {
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
	_, err = prove(tx, AddressProof{UserID: userID, Email: a.Identity.Email, By: a.Proof, From: a.SignIn.From}, own, at)
	if a.Linked && errors.Is(err, ErrConflict) {
		err = nil // an address that is not the account's; the identity opens it all the same
	}
	return err
}

// checkFound is ErrConflict unless the user, whom the address alone has found, has
// that address still, proven or not as the caller saw it. No upstream opens the account
// of an administrator by its address.
func checkFound(tx *gorm.DB, a ConnectorSignIn) error {
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
func attach(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	by := By{From: a.SignIn.From, At: at}
	if err := link(tx, a.Identity, by); err != nil {
		return err
	}
	if err := follow(tx, a.Identity, a.Fill, at); err != nil {
		return err
	}
	return followGroups(tx, a.Identity, a.Groups, by)
}

// follow takes over what the upstream says of the user: see Profile.following. The
// identity is linked already.
func follow(tx *gorm.DB, i Identity, p Profile, at time.Time) error {
	detail, err := detailOf(tx, i)
	if err != nil {
		return err
	}
	var u User
	if err := tx.Where("id = ?", i.UserID).Take(&u).Error; err != nil {
		return err
	}
	own := ProfileOf(u)
	said := own.following(p.storable(), detail.UpstreamProfile)
	if said != detail.UpstreamProfile {
		detail.UpstreamProfile = said
		if err := setDetail(tx, i, detail); err != nil {
			return err
		}
	}
	if own == ProfileOf(u) {
		return nil
	}
	values, err := profileValues(own, At(at))
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE users SET `+setProfile+` WHERE id = ?`, append(values, i.UserID)...).Error
}
