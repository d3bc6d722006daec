package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ConnectorSignIn is the input of DB.SignInThrough.
type ConnectorSignIn struct {
	Identity  Identity // UserID is the existing user; "": a new user
	AttemptID string   // can be used once
	Until     Millis   // how long the use of AttemptID must be remembered
	SignIn    SignIn   // its UserID is set from Identity

	// Linked: the identity was linked to the user when the caller looked. ErrConflict if it no
	// longer is.
	Linked bool
	// NewUser is created with a fresh ID if Identity has no UserID. It has no email address if
	// nobody vouches for one.
	NewUser User
	// Invitation creates the user of a one-time link, if Identity has no UserID: see
	// Invitation. NewUser has no address then. nil: no invitation.
	Invitation *LinkRef
	// Proof is set if the upstream vouches for Identity.Email. The address is then marked as
	// verified, as in ProveAddress, also for a new user.
	Proof Voucher
	// FreshFor is AddressProof.FreshFor for the session that the browser had before.
	FreshFor time.Duration
	// Profile is the profile from the upstream. It fills empty fields, and later updates those that
	// the user has not edited. Its PreferredUsername is used for a new user only. If another
	// user has the same name, or one that looks the same, the name is stored but is not unique.
	Profile Profile
	// Groups are the groups of the person at the upstream; nil: unknown, the stored ones stay.
	Groups *AssertedGroups
}

// SignInThrough uses up the attempt and signs a person in through a connector, in one
// transaction. It creates the new user, or marks the address of the existing one as verified. It
// links the identity or updates when it was used, and starts the session.
//
// ErrReplayed: the attempt was used before. ErrConflict: the facts on which the caller decided
// have changed (the identity is another user's or was unlinked; the address is taken, verified
// or another one; the user became an administrator); decide again. ErrRevoked: the user is
// disabled or deleted. *FactorDueError: the user has a second factor. Then no session is started.
// If a.Linked is set, the rest was done, and SignIn with SignIn.Through continues. Otherwise nothing
// was done, because an upstream alone must not link an identity to such an account. *AddressReservedError: another
// user can still restore the address of the new user.
// *DeadLinkError: the invitation cannot be used, see CreateUserByLink.
func (db *DB) SignInThrough(ctx context.Context, a ConnectorSignIn, at time.Time) (Session, error) {
	if err := refuseImpossible(a.AttemptID, a.Identity.Connector, a.Identity.Issuer, a.Identity.Subject, a.SignIn.HandleHash); err != nil {
		return Session{}, fmt.Errorf("sign in through connector: %w", err)
	}
	settleUser := db.checkConnectorUser
	if a.Identity.UserID == "" {
		var err error
		if a.NewUser, err = newConnectorUser(a, at); err != nil {
			return Session{}, fmt.Errorf("sign in through connector: %w", err)
		}
		a.Identity.UserID, settleUser = a.NewUser.ID, createConnectorUser
		if a.Invitation != nil {
			settleUser = db.createInvitedUser
		}
	}
	a.SignIn.UserID, a.SignIn.connector = a.Identity.UserID, a.Identity.Connector
	a.SignIn.through = a.Identity
	if !a.Linked { // an upstream alone must not link an identity to an account with a second factor
		a.SignIn.Trusted = BrowserKey{}
	}
	in, err := db.runConnectorSignIn(ctx, a, settleUser, at)
	if errors.Is(err, ErrUsernameTaken) { // taken since createConnectorUser checked; the second run sees it
		in, err = db.runConnectorSignIn(ctx, a, settleUser, at)
	}
	if err != nil {
		return Session{}, err
	}
	return in.Session, nil
}

// runConnectorSignIn is the transaction of SignInThrough.
func (db *DB) runConnectorSignIn(ctx context.Context, a ConnectorSignIn, settleUser func(*gorm.DB, ConnectorSignIn, time.Time) error, at time.Time) (in startedSession, err error) {
	var due *FactorDueError
	err = db.write(ctx, "sign in through connector", func(tx *gorm.DB) (err error) {
		due = nil
		if err := spendAttempt(tx, a.AttemptID, a.Until); err != nil {
			return err
		}
		if err := settleUser(tx, a, at); err != nil {
			return err
		}
		in, err = db.startCheckedSession(tx, &a.SignIn, at)
		if isDue := errors.As(err, &due); err != nil && !(isDue && a.Linked) {
			return err
		}
		if err := db.attachIdentity(tx, a, at); err != nil || due != nil {
			return err
		}
		return db.finishSignIn(tx, a.SignIn, in, at)
	})
	if err == nil && due != nil {
		err = fmt.Errorf("sign in through connector: %w", due)
	}
	return in, err
}

// spendAttempt marks a sign-in at an upstream, or the proof that it yielded, as used.
// ErrReplayed: it was used before.
func spendAttempt(tx *gorm.DB, id string, until Millis) error {
	fresh, err := spend(tx, spent{Kind: spentAttempt, ID: id, ExpiresAt: until})
	if err == nil && !fresh {
		err = ErrReplayed
	}
	return err
}

// newConnectorUser returns the user to create if the identity has no user.
func newConnectorUser(a ConnectorSignIn, at time.Time) (User, error) {
	u := a.NewUser
	u.Email = TrimEmail(u.Email)
	u.ID, u.CreatedAt, u.UpdatedAt = NewID(UserPrefix), At(at), At(at)
	u.EmailVerified = a.Proof != "" && u.Email != ""
	var err error
	u.EmailCanonical, err = canonicalOrNone(u.Email)
	return u, err
}

func createConnectorUser(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	row := a.NewUser
	row.PreferredUsername = a.Profile.PreferredUsername
	if err := setFoldedUsername(tx, &row, row); err != nil {
		return err
	}
	if err := insertUserRow(tx, row, at); err != nil {
		return err
	}
	return record(tx, Event{
		Type: UserCreated, Outcome: Succeeded, UserID: row.ID, Connector: a.Identity.Connector, From: a.SignIn.From,
		Detail: changesOf(nil, row.recordedFields()),
	}, at)
}

// createInvitedUser spends the invitation and creates its user, like CreateUserByLink. The user has
// the name from the upstream, or else the one that the invitation suggests. The address of the
// invitation is also verified if the upstream vouches for the very same one.
func (db *DB) createInvitedUser(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	if a.Invitation.Kind != LinkInvitation {
		return &DeadLinkError{a.Invitation.Kind, "link_ended"}
	}
	l, err := spendLink(tx, *a.Invitation, at)
	if err != nil {
		return err
	}
	invited, err := l.Invitation()
	if err != nil {
		return err
	}
	row := a.NewUser
	invited.applyTo(&row, l)
	if row.EmailCanonical, err = CanonicalEmail(row.Email); err != nil {
		return err
	}
	if vouched, err := CanonicalEmail(a.Identity.Email); a.Proof != "" && err == nil && vouched == row.EmailCanonical {
		row.EmailVerified = true
	}
	row.PreferredUsername = a.Profile.PreferredUsername
	if a.Profile.Name == "" {
		row.Name = invited.Name
	}
	if err := setFoldedUsername(tx, &row, row); err != nil {
		return err
	}
	err = insertUserRow(tx, row, at)
	if engine.IsUnique(err) && !errors.Is(err, ErrUsernameTaken) || errors.Is(err, ErrAddressReserved) {
		return &DeadLinkError{l.Kind, "link_address_taken"}
	}
	if err != nil {
		return err
	}
	by := By{From: a.SignIn.From, At: at}
	err = record(tx, Event{
		Type: UserCreated, Outcome: Succeeded, Reason: string(l.Kind), UserID: row.ID, Connector: a.Identity.Connector, From: by.From,
		Detail: changesOf(nil, row.recordedFields()),
	}, at)
	if err != nil {
		return err
	}
	return db.settleInvitation(tx, l, invited, row, by)
}

// checkConnectorUser checks, under the lock of the user's row, that the facts on which the
// caller decided are unchanged. Then it marks the address as verified.
func (db *DB) checkConnectorUser(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
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
			return ErrConflict // unlinked meanwhile
		}
	} else if a.Identity.Email != "" {
		if err := checkAddressMatch(tx, a); err != nil {
			return err
		}
	}
	if a.Proof == "" {
		return nil
	}
	own, err := isOwnFreshSession(tx, userID, sessionKey{"handle_hash", a.SignIn.Replaces}, a.FreshFor, at)
	if err != nil {
		return err
	}
	if a.Linked && !own {
		// The identity opens the account without the proof. With it, it would delete the factors
		// instead of being asked for one.
		protected, err := hasStrongFactors(tx, userID)
		if err != nil || protected {
			return err
		}
	}
	_, err = proveAddress(tx, AddressProof{UserID: userID, Email: a.Identity.Email, By: a.Proof, From: a.SignIn.From}, own, at)
	if a.Linked && errors.Is(err, ErrConflict) {
		err = nil // the address is not the account's; the linked identity opens the account nevertheless
	}
	return err
}

// checkAddressMatch checks a user that the caller found by address. It returns ErrConflict if
// the user no longer has that address, or if the address became verified or unverified since. An
// upstream never opens the account of a user with a role of administration by its address.
func checkAddressMatch(tx *gorm.DB, a ConnectorSignIn) error {
	var found []User
	err := tx.Select("email_canonical", "email_verified", "admin", "lesser_role").Where("id = ?", a.Identity.UserID).Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return err // the sign-in refuses a deleted user later
	}
	u := found[0]
	canonical, err := CanonicalEmail(a.Identity.Email)
	if err != nil || canonical != u.EmailCanonical || u.EmailVerified != (a.Proof == "") || u.AdminRole().IsAny() {
		return ErrConflict
	}
	return nil
}

// attachIdentity links the identity, or updates when it was used, and takes over the profile and
// the groups from the upstream.
func (db *DB) attachIdentity(tx *gorm.DB, a ConnectorSignIn, at time.Time) error {
	by := By{From: a.SignIn.From, At: at}
	fresh, err := linkIdentity(tx, a.Identity, by)
	if err != nil {
		return err
	}
	// A new user has chosen the identity. An invitation may have been forwarded, and the mail goes to
	// the person who was invited.
	if isNewUser := a.NewUser.ID != ""; fresh && (!isNewUser || a.Invitation != nil) {
		if err := db.notifyLinked(tx, a.Identity, by); err != nil {
			return err
		}
	}
	if err := followProfile(tx, a.Identity, a.Profile, at); err != nil {
		return err
	}
	return storeAssertedGroups(tx, a.Identity, a.Groups, by)
}

// followProfile updates the user's profile from the upstream: see Profile.followUpstream. The
// identity is linked already.
func followProfile(tx *gorm.DB, i Identity, p Profile, at time.Time) error {
	detail, err := detailOf(tx, i)
	if err != nil {
		return err
	}
	var u User
	if err := tx.Where("id = ?", i.UserID).Take(&u).Error; err != nil {
		return err
	}
	own := ProfileOf(u)
	asserted := own.followUpstream(p.cleaned(), detail.UpstreamProfile)
	if asserted != detail.UpstreamProfile {
		detail.UpstreamProfile = asserted
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
