package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// SignIn is the input of DB.SignIn.
type SignIn struct {
	UserID      string
	HandleHash  string // of the browser's new handle
	Replaces    string // hash of the handle the browser came with, "" for none
	Request     string // id of the request this answers
	ClientID    string // for the event
	ACR         string
	AMR         []string
	Asserted    *AssertedFreshness // by an upstream; nil: the user proved it here and now
	Persistent  bool
	IdleFor     time.Duration
	AbsoluteFor time.Duration

	// Rehash replaces the password hash OldHash by NewHash, if it is still that.
	OldHash, NewHash string
	// NotBefore is User.NotBefore as it stood when the user was checked; nil: the
	// check was of another kind.
	NotBefore *Millis
	// GiveBack undoes the reservation of this attempt.
	GiveBack Reservation
	From     Origin

	through   Identity // that opens the session; the zero Identity for a way of our own
	connector string   // for the event: of the identity that came, though a password opens the session
}

// AssertedFreshness is what an upstream says about the freshness of a sign-in. Coming through an
// upstream proves by itself only that somebody has a session there.
type AssertedFreshness struct {
	Connector string
	AuthTime  Millis // when the person last proved there who they are; 0: it does not say
	Again     bool   // they did so in answer to this request
}

// SignIn starts the browser's session, in one transaction: the session of
// Replaces goes on under the same id with the new handle if it is the same
// user's and alive (arrived_at and lifetimes are set anew, a fact is added; see
// noteProof for auth_time, acr and amr), and is ended if it is another user's. Event
// user.signed_in.
//
// ErrRevoked: the user is disabled or gone, or all it had was ended after it was
// checked: who still knew the old password is not let in after it was changed.
func (db *DB) SignIn(ctx context.Context, s SignIn, at time.Time) (Session, error) {
	if err := refuseImpossible(s.UserID, s.HandleHash); err != nil {
		return Session{}, fmt.Errorf("sign in: %w", err)
	}
	if s.Replaces == s.HandleHash {
		return Session{}, errors.New("sign in: the handle is not new")
	}
	var in entry
	err := db.write(ctx, "sign in", func(tx *gorm.DB) (err error) {
		if err := db.lockRow(tx, userRow, s.UserID, forShare); err != nil {
			return err
		}
		if in, err = enter(tx, s, at); err != nil {
			return err
		}
		return noteEntry(tx, s, in, at)
	})
	if err != nil {
		return Session{}, err
	}
	return in.Session, nil
}

// entry is the session that a sign-in has started.
type entry struct {
	Session
	repeated bool // the session went on, or its user has very many
}

// enter starts the session of a user whose row the caller holds. ErrRevoked: see SignIn.
func enter(tx *gorm.DB, s SignIn, at time.Time) (entry, error) {
	notBefore, err := admitSince(tx, s.UserID, s.NotBefore)
	if err != nil {
		return entry{}, err
	}
	return startSession(tx, s, notBefore, at)
}

// noteEntry renews the password's hash, gives the reserved attempt back and records the
// sign-in. Event user.signed_in.
func noteEntry(tx *gorm.DB, s SignIn, in entry, at time.Time) error {
	if err := renewHash(tx, s, at); err != nil {
		return err
	}
	if err := giveBack(tx, s.GiveBack); err != nil {
		return err
	}
	return record(tx, Event{
		Type: UserSignedIn, Outcome: Succeeded, UserID: s.UserID, ClientID: s.ClientID, SessionID: in.ID, Connector: s.connector,
		From: s.From, Detail: map[string]any{"acr": s.ACR, "amr": s.AMR}, repeated: in.repeated,
	}, at)
}

// admit gives the moment after which a session of the user must be made.
// ErrRevoked: the user is disabled or gone.
func admit(tx *gorm.DB, userID string) (Millis, error) { return admitSince(tx, userID, nil) }

// admitSince is admit, and ErrRevoked also if the user's own moment is not the one
// that was seen before; nil for a caller that saw none.
func admitSince(tx *gorm.DB, userID string, seen *Millis) (Millis, error) {
	condition := gorm.Expr(`u.id = ? AND u.disabled_at = 0 AND i.id = 1`, userID)
	if seen != nil {
		condition = gorm.Expr(`? AND u.not_before = ?`, condition, *seen)
	}
	var moments []Millis
	err := tx.Raw(`SELECT CASE WHEN u.not_before > i.not_before THEN u.not_before ELSE i.not_before END
		FROM users u, instance i WHERE ?`, condition).Scan(&moments).Error
	if err != nil {
		return 0, err
	}
	if len(moments) != 1 {
		return 0, ErrRevoked
	}
	return moments[0], nil
}

// startSession goes on with the browser's session or makes a new one. A session
// that goes on belongs to the way in that was used last; the grants that it has
// opened stay with the way in of their time.
func startSession(tx *gorm.DB, s SignIn, notBefore Millis, at time.Time) (entry, error) {
	before, err := replaced(tx, s, at)
	if err != nil {
		return entry{}, err
	}
	from := s.From.clean()
	now := At(at)
	session := Session{
		ID: before.ID, HandleHash: s.HandleHash, UserID: s.UserID, ArrivedAt: now,
		Connector: s.through.Connector, Identity: s.through.key(),
		Persistent: s.Persistent, Agent: from.Agent, Address: from.Address,
		IdleFor: s.IdleFor, CreatedAt: before.CreatedAt, SeenAt: now,
		IdleExpiresAt: now.Add(s.IdleFor), ExpiresAt: now.Add(s.AbsoluteFor),
	}
	noteProof(&session, before, s, now)
	if before.ID != "" {
		return entry{session, true}, replaceSession(tx, session)
	}
	// A clock that is behind the one that moved not_before makes no session that
	// is dead from its birth.
	session.ID, session.CreatedAt = NewID("ses_"), max(now, notBefore+1)
	row := session
	if err := tx.Create(&row).Error; err != nil {
		return entry{}, err
	}
	repeated, err := trimSessions(tx, session, By{From: s.From, At: at})
	return entry{session, repeated}, err
}

// noteProof notes what a sign-in proves. A session goes on with its newest proof: arriving
// through an upstream that proves nothing newer changes none of auth_time, acr and amr,
// so that a silent arrival never makes an older proof look new.
func noteProof(session *Session, before Session, s SignIn, now Millis) {
	proved, fact := now, Fact{Kind: FactAuthenticated, At: now, Request: s.Request}
	if a := s.Asserted; a != nil {
		proved = max(0, min(a.AuthTime, now))
		if !a.Again || proved == 0 {
			fact.Kind, fact.Connector, fact.Proved = FactArrived, a.Connector, proved
		}
	}
	session.Facts = newestFacts(append(before.Facts, fact))
	session.AuthTime, session.ACR, session.AMR = proved, s.ACR, s.AMR
	if before.AuthTime > proved {
		session.AuthTime, session.ACR, session.AMR = before.AuthTime, before.ACR, before.AMR
	}
}

// replaced gives the session of the browser's old handle if the sign-in goes on
// with it, and the zero Session otherwise. One of another user is ended.
func replaced(tx *gorm.DB, s SignIn, at time.Time) (Session, error) {
	if refuseImpossible(s.Replaces) != nil {
		return Session{}, nil // none, or nothing that could be one
	}
	var found []Session
	if err := tx.Where("handle_hash = ?", s.Replaces).Limit(1).Find(&found).Error; err != nil || len(found) == 0 {
		return Session{}, err
	}
	before := found[0]
	if before.UserID != s.UserID {
		return Session{}, endSession(tx, before.UserID, before.ID, "replaced", By{From: s.From, At: at})
	}
	switch _, err := touchSession(tx, s.UserID, before.ID, "", at); {
	case errors.Is(err, ErrRevoked):
		return Session{}, nil
	case err != nil:
		return Session{}, err
	}
	// Read again under the row's lock: its facts may have grown, its handle moved.
	found = nil
	if err := tx.Where("id = ? AND handle_hash = ?", before.ID, s.Replaces).Limit(1).Find(&found).Error; err != nil || len(found) == 0 {
		return Session{}, err
	}
	return found[0], nil
}

// replaceSession writes the session over its row, id and creation time aside.
func replaceSession(tx *gorm.DB, s Session) error {
	res := tx.Model(&Session{}).Where("id = ? AND user_id = ?", s.ID, s.UserID).Select("HandleHash", "AuthTime", "ArrivedAt", "Connector", "Identity", "ACR", "AMR", "Facts",
		"Persistent", "Agent", "Address", "IdleFor", "SeenAt", "IdleExpiresAt", "ExpiresAt").Updates(&s)
	if res.Error == nil && res.RowsAffected != 1 {
		return ErrRevoked
	}
	return res.Error
}

// renewHash replaces the password's hash by one of today's costs, unless the
// password has been changed since.
func renewHash(tx *gorm.DB, s SignIn, at time.Time) error {
	if s.OldHash == "" || s.NewHash == "" {
		return nil
	}
	return tx.Exec(`UPDATE credentials SET secret = ?, updated_at = ? WHERE user_id = ? AND kind = 'password' AND secret = ?`,
		[]byte(s.NewHash), At(at), s.UserID, []byte(s.OldHash)).Error
}
