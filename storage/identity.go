package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Identity is a person as an upstream knows it, linked to a user. It is found by
// connector, issuer and subject, never by e-mail: addresses change hands. The
// issuer is part of it, so that a connector that is pointed at another upstream
// matches none of its old links.
type Identity struct {
	Connector string
	Issuer    string
	Subject   string // compared byte for byte
	UserID    string

	Email     string // as the upstream says it, to tell people which account it is
	Name      string
	Detail    IdentityDetail `gorm:"serializer:signet_json"`
	UsedAt    Millis
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

// IdentityDetail is what else is kept of an identity.
type IdentityDetail struct {
	// Said is the profile as the upstream gave it last: what a user has not changed
	// since follows it.
	Said Said `json:"said,omitzero"`
	// Token is the upstream's own token for the person, sealed by the caller under the
	// master key; empty where none is kept.
	Token []byte `json:"token,omitempty"`
}

// Said is the part of a profile that upstreams give; "" where one did not.
type Said struct {
	Name       string `json:"name,omitempty"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	Picture    string `json:"picture,omitempty"`
	Locale     string `json:"locale,omitempty"`
}

// LinkedUser reads the user of an identity, disabled or not. ErrNotFound.
func (db *DB) LinkedUser(ctx context.Context, connector, issuer, subject string) (User, error) {
	if err := checkIDs(connector, issuer, subject); err != nil {
		return User{}, fmt.Errorf("read linked user: %w", err)
	}
	var u User
	err := db.read(ctx, "read linked user", func(q *gorm.DB) error {
		return q.Raw(`SELECT u.* FROM users u JOIN identities i ON i.user_id = u.id
			WHERE i.connector = ? AND i.issuer = ? AND i.subject = ?`, connector, issuer, subject).Take(&u).Error
	})
	return u, err
}

// IdentitiesOf lists a user's identities, the oldest first.
func (db *DB) IdentitiesOf(ctx context.Context, userID string) ([]Identity, error) {
	if err := checkIDs(userID); err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	var list []Identity
	err := db.read(ctx, "list identities", func(q *gorm.DB) error {
		return q.Where("user_id = ?", userID).Order("created_at, connector, subject").Find(&list).Error
	})
	return list, err
}

// waysIn counts the ways a user can sign in: a password is one, each identity
// of these connectors is one.
func waysIn(tx *gorm.DB, userID string, connectors []string) (int64, error) {
	var n int64
	err := tx.Raw(`SELECT (SELECT COUNT(*) FROM identities WHERE user_id = ? AND connector IN ?)
		+ (SELECT COUNT(*) FROM credentials WHERE user_id = ? AND kind IN ('password', 'webauthn'))`, userID, connectors, userID).Scan(&n).Error
	return n, err
}

// link stores an identity of a user, or notes that it was used if it is this
// user's already.
//
// ErrConflict: it is another user's.
func link(tx *gorm.DB, i Identity, from Origin, at time.Time) error {
	if err := checkIDs(i.Connector, i.Issuer, i.Subject, i.UserID); err != nil {
		return err
	}
	fresh, err := changed(tx, `INSERT INTO identities (connector, issuer, subject, user_id, email, name, used_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		i.Connector, i.Issuer, i.Subject, i.UserID, cleanText(i.Email, longestName), cleanText(i.Name, longestName), At(at), At(at))
	if err != nil {
		return err
	}
	if fresh {
		if err := keepToken(tx, i); err != nil {
			return err
		}
		return record(tx, Event{Type: IdentityLinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: from}, at)
	}
	used, err := changed(tx, `UPDATE identities SET used_at = ?, email = ?, name = ?
		WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
		At(at), cleanText(i.Email, longestName), cleanText(i.Name, longestName), i.Connector, i.Issuer, i.Subject, i.UserID)
	switch {
	case err != nil:
		return err
	case !used:
		return ErrConflict
	}
	return keepToken(tx, i)
}

// keepToken puts the identity's token in place of the one that was kept; none,
// in place of any.
func keepToken(tx *gorm.DB, i Identity) error {
	detail, err := detailOf(tx, i)
	if err != nil || bytes.Equal(detail.Token, i.Detail.Token) {
		return err
	}
	detail.Token = i.Detail.Token
	return setDetail(tx, i, detail)
}

func detailOf(tx *gorm.DB, i Identity) (IdentityDetail, error) {
	var known Identity
	err := tx.Select("detail").Where("connector = ? AND issuer = ? AND subject = ?", i.Connector, i.Issuer, i.Subject).Take(&known).Error
	return known.Detail, err
}

func setDetail(tx *gorm.DB, i Identity, detail IdentityDetail) error {
	text, err := jsonText(detail)
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE identities SET detail = ? WHERE connector = ? AND issuer = ? AND subject = ?`,
		text, i.Connector, i.Issuer, i.Subject).Error
}

// Unlinking is the input of DB.Unlink.
type Unlinking struct {
	Identity   Identity // UserID: whose it is
	Connectors []string // those that people can sign in through now
	SessionID  string   // in which it is asked for, and which stays; "": an operator asks
	From       Origin
}

// Unlink takes an identity from a user and ends the user's other sessions that
// came in through any upstream: which one it was, a session does not know. Event
// identity.unlinked.
//
// ErrRevoked: the session is dead or another user's. ErrNotFound: the user has no
// such identity. ErrConflict: it is the user's last way in.
func (db *DB) Unlink(ctx context.Context, u Unlinking, at time.Time) error {
	i := u.Identity
	if err := checkIDs(i.UserID, i.Connector, i.Issuer, i.Subject); err != nil {
		return fmt.Errorf("unlink identity: %w", err)
	}
	return db.write(ctx, "unlink identity", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, i.UserID, forUpdate); err != nil {
			return err
		}
		if u.SessionID != "" {
			if _, err := touchSession(tx, i.UserID, u.SessionID, "", at); err != nil {
				return err
			}
		}
		removed, err := changed(tx, `DELETE FROM identities WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
			i.Connector, i.Issuer, i.Subject, i.UserID)
		if err != nil {
			return err
		}
		if !removed {
			return ErrNotFound
		}
		left, err := waysIn(tx, i.UserID, u.Connectors)
		if err != nil {
			return err
		}
		if left == 0 {
			return ErrConflict // and the deletion is undone
		}
		if err := endFederated(tx, u, at); err != nil {
			return err
		}
		return record(tx, Event{Type: IdentityUnlinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: u.From}, at)
	})
}

// endFederated ends the other sessions whose amr says that an upstream vouched.
func endFederated(tx *gorm.DB, u Unlinking, at time.Time) error {
	var ids []string
	err := tx.Raw(`SELECT id FROM sessions WHERE user_id = ? AND id <> ? AND ended_at = 0 AND amr LIKE '%"fed"%' ORDER BY id`,
		u.Identity.UserID, u.SessionID).Scan(&ids).Error
	for _, id := range ids {
		if err == nil {
			err = endSession(tx, u.Identity.UserID, id, "unlinked", u.From, at)
		}
	}
	return err
}

// Arrival is how a person comes in through a connector: the input of
// DB.SignInThrough.
type Arrival struct {
	Identity  Identity // UserID is set for a user that exists, "" for a new one
	AttemptID string   // spent in the same transaction
	Until     Millis   // how long that must be remembered
	SignIn    SignIn   // UserID is taken from Identity

	// NewUser is made, with a fresh id, when Identity has no UserID.
	NewUser User
	// Evict removes every credential, identity, session and grant of the user
	// first: its address was never proven, and its owner has come.
	Evict bool
	// Fill is what the upstream says of the person. It fills what is empty, and
	// later updates what the user has not edited.
	Fill Profile
}

// SignInThrough spends the attempt and signs a person in through a connector, in
// one transaction: the new user is made or the old one evicted, the identity is
// linked or noted as used, the session starts.
//
// ErrReplayed: the attempt was used before. ErrConflict: the identity became
// another user's meanwhile, or the new user's address was taken: decide again.
// ErrRevoked: the user is disabled or gone.
func (db *DB) SignInThrough(ctx context.Context, a Arrival, at time.Time) (Session, error) {
	if err := checkIDs(a.AttemptID, a.Identity.Connector, a.Identity.Issuer, a.Identity.Subject, a.SignIn.HandleHash); err != nil {
		return Session{}, fmt.Errorf("sign in through connector: %w", err)
	}
	newcomer := a.NewUser
	if a.Identity.UserID == "" {
		canonical, err := CanonicalEmail(newcomer.Email)
		if err != nil {
			return Session{}, fmt.Errorf("sign in through connector: %w", err)
		}
		newcomer.ID, newcomer.EmailCanonical = NewID(userPrefix), canonical
		newcomer.CreatedAt, newcomer.UpdatedAt = At(at), At(at)
	}
	var session Session
	err := db.write(ctx, "sign in through connector", func(tx *gorm.DB) error {
		fresh, err := spend(tx, spentAttempt, a.AttemptID, "", "", a.Until)
		if err != nil {
			return err
		}
		if !fresh {
			return ErrReplayed
		}
		identity, in := a.Identity, a.SignIn
		if identity.UserID == "" {
			identity.UserID = newcomer.ID
			if err := createArrived(tx, newcomer, a, at); err != nil {
				return err
			}
		} else if err := db.lockRow(tx, userRow, identity.UserID, forUpdate); err != nil {
			return err
		}
		if a.Evict {
			if err := evict(tx, identity.UserID, a.SignIn.From, at); err != nil {
				return err
			}
		}
		in.UserID = identity.UserID
		notBefore, err := admitSince(tx, in.UserID, in.NotBefore)
		if err != nil {
			return err
		}
		if session, err = startSession(tx, in, notBefore, at); err != nil {
			return err
		}
		if err := link(tx, identity, in.From, at); err != nil {
			return err
		}
		if err := follow(tx, identity, a.Fill, at); err != nil {
			return err
		}
		if err := renewHash(tx, in, at); err != nil {
			return err
		}
		if err := giveBack(tx, in.GiveBack); err != nil {
			return err
		}
		return record(tx, Event{
			Type: UserSignedIn, Outcome: Succeeded, UserID: in.UserID, ClientID: in.ClientID, SessionID: session.ID,
			Connector: identity.Connector, From: in.From, Detail: map[string]any{"acr": in.ACR, "amr": in.AMR},
		}, at)
	})
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

func createArrived(tx *gorm.DB, newcomer User, a Arrival, at time.Time) error {
	row := newcomer
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	return record(tx, Event{
		Type: UserCreated, Outcome: Succeeded, UserID: newcomer.ID, Connector: a.Identity.Connector, From: a.SignIn.From,
	}, at)
}

// evict removes every way in that was set up while the address was unproven, and
// what was written into the profile, ends all that came of them, and notes the
// address as proven.
func evict(tx *gorm.DB, userID string, from Origin, at time.Time) error {
	unproven, err := changed(tx, `UPDATE users SET email_verified = ?, updated_at = ?, name = '', given_name = '', middle_name = '', family_name = '',
			nickname = '', preferred_username = '', profile = '', picture = '', website = '', gender = '', birthdate = '', zoneinfo = '', locale = '',
			phone_number = '', phone_number_verified = ?, address = ''
		WHERE id = ? AND NOT email_verified AND NOT admin AND disabled_at = 0`, true, At(at), false, userID)
	if err != nil {
		return err
	}
	if !unproven {
		return ErrConflict // proven meanwhile: nobody may be evicted
	}
	for _, statement := range []string{
		`DELETE FROM credentials WHERE user_id = ?`, `DELETE FROM identities WHERE user_id = ?`, `DELETE FROM consents WHERE user_id = ?`,
	} {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return err
		}
	}
	if err := endAllOf(tx, userID, at); err != nil {
		return err
	}
	return record(tx, Event{Type: UserEvicted, Outcome: Succeeded, UserID: userID, From: from}, at)
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

// ProvenLink is the input of DB.LinkIdentity.
type ProvenLink struct {
	Identity  Identity // UserID: who proved to be both
	ProofID   string   // of the proof, spent in the same transaction
	Until     Millis
	SessionID string // the session in which it was proven
	From      Origin
}

// LinkIdentity gives a signed-in user an identity that it has proven to own.
//
// ErrReplayed: the proof was used before. ErrConflict: the identity is another
// user's. ErrRevoked: the session is dead or another user's.
func (db *DB) LinkIdentity(ctx context.Context, l ProvenLink, at time.Time) error {
	if err := checkIDs(l.ProofID, l.Identity.UserID, l.SessionID); err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	if l.Until == 0 {
		return errors.New("link identity: the proof has no expiry")
	}
	return db.write(ctx, "link identity", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, l.Identity.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, l.Identity.UserID, l.SessionID, "", at); err != nil {
			return err
		}
		fresh, err := spend(tx, spentAttempt, l.ProofID, "", "", l.Until)
		if err != nil {
			return err
		}
		if !fresh {
			return ErrReplayed
		}
		return link(tx, l.Identity, l.From, at)
	})
}
