package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// SignIn is the input of DB.SignIn.
type SignIn struct {
	UserID     string
	HandleHash string // hash of the browser's new handle
	Replaces   string // hash of the handle that the browser sent; "": none
	Request    string // ID of the authorization request
	ClientID   string // for the event
	ACR        string
	AMR        []string
	Asserted   *AssertedFreshness // by an upstream; nil: the user authenticated here, now
	// KeepStronger is what a stronger proof of the continued session must still meet to be kept, see
	// applyProof; nil: this sign-in replaces it.
	KeepStronger *Freshness
	Persistent   bool
	IdleFor      time.Duration
	AbsoluteFor  time.Duration

	// NewHash replaces the password hash OldHash, if that is still stored.
	OldHash, NewHash string
	// NotBefore is User.NotBefore when the user was checked; nil: it is not compared.
	NotBefore *Millis
	// GiveBack is the reservation of this attempt, which is given back.
	GiveBack Reservation
	From     Origin
	// Passkey is the checked assertion that opens the session; nil: none. It sets ACR and AMR.
	Passkey *PasskeyUse
	// NewBrowser: the user has not signed in with this browser before. Unless it is the user's
	// very first sign-in, a mail tells the user of it.
	NewBrowser bool

	// Factor is the second factor. Without one, the sign-in of a user who has a second factor starts
	// no session.
	Factor *FactorUse
	// Trusted identifies a browser that the user has trusted; zero: none, or the sign-in must have the
	// second factor for another reason. See skipFactor.
	Trusted BrowserKey
	// Trust makes the browser a trusted one. The sign-in must have a second factor. nil: it does not.
	Trust *NewTrust
	// Through is the key of the identity, or the ID of the passkey, that the person brought before
	// the second factor; "": none. The sign-in fails if it does not belong to the user any more.
	Through string

	// Raises: the sign-in has only the second factor. It raises the session of Replaces, whose first
	// proof it keeps. The sign-in fails if that session has ended.
	Raises bool

	through     Identity // the identity that opens the session; zero: a password or passkey
	passkey     string   // ID of the passkey that opens the session; "": none
	confirmedBy string   // ID of the security key or passkey that was the second factor; "": none
	skipped     bool     // the browser is trusted, so the second factor was not asked for
	connector   string   // for the event: connector of the identity that was used, even if a password opens the session
}

// AssertedFreshness is the information of an upstream about when the person authenticated. A
// return from an upstream by itself proves only that somebody has a session there.
type AssertedFreshness struct {
	Connector       string
	AuthTime        Millis // when the person last authenticated there; 0: unknown
	Reauthenticated bool   // the person authenticated there for this request
}

// SignIn starts the session of a browser, in one transaction. If Replaces belongs to a live
// session of the same user, that session continues with the same ID and the new handle: its
// ArrivedAt and lifetimes are set again, and a fact is added. See applyProof for its proof. If Replaces belongs to another user's session, that session ends. It records the event
// user.signed_in.
//
// ErrRevoked: the user is disabled or deleted, or everything of the user was ended after
// NotBefore was read. A sign-in with an old password therefore fails after the password was
// changed. *FactorDueError: the user has a second factor; the attempt is given back and the hash
// renewed, and no session is started. ErrReplayed: the second factor or the challenge of the
// passkey was used before. ErrRevoked also: the passkey was removed, or the session to raise has
// ended.
func (db *DB) SignIn(ctx context.Context, s SignIn, at time.Time) (Session, error) {
	if err := refuseImpossible(s.UserID, s.HandleHash); err != nil {
		return Session{}, fmt.Errorf("sign in: %w", err)
	}
	if s.Replaces == s.HandleHash {
		return Session{}, errors.New("sign in: the handle is not new")
	}
	var in startedSession
	var due *FactorDueError
	err := db.write(ctx, "sign in", func(tx *gorm.DB) (err error) {
		due = nil
		if err := db.lockRow(tx, userRow, s.UserID, forShare); err != nil {
			return err
		}
		s := s // a second run begins with the same values
		if err := checkPasskey(tx, &s, at); err != nil {
			return err
		}
		if err := checkThrough(tx, &s); err != nil {
			return err
		}
		in, err = db.startCheckedSession(tx, &s, at)
		if errors.As(err, &due) {
			return acceptFirstProof(tx, s, at)
		}
		if err != nil {
			return err
		}
		return db.finishSignIn(tx, s, in, at)
	})
	switch {
	case err != nil:
		return Session{}, err
	case due != nil:
		return Session{}, fmt.Errorf("sign in: %w", due)
	}
	return in.Session, nil
}

// checkThrough takes over the identity that the person brought before the second factor.
// ErrRevoked: it is not linked to the user any more.
func checkThrough(tx *gorm.DB, s *SignIn) error {
	if s.Through == "" {
		return nil
	}
	var list []Identity
	if err := tx.Where("user_id = ?", s.UserID).Find(&list).Error; err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(i Identity) bool { return i.Key() == s.Through })
	if at < 0 {
		return ErrRevoked
	}
	s.through, s.connector = list[at], list[at].Connector
	if s.Asserted != nil {
		s.Asserted.Connector = s.connector
	}
	return nil
}

// acceptFirstProof is the part of finishSignIn for a correct first proof, if a second factor is
// due.
func acceptFirstProof(tx *gorm.DB, s SignIn, at time.Time) error {
	if err := renewHash(tx, s, at); err != nil {
		return err
	}
	return giveBack(tx, s.GiveBack)
}

// startedSession is the session that a sign-in has started.
type startedSession struct {
	Session
	resumed  bool // the session continues an old one
	repeated bool // the same, or its user has very many
}

// startCheckedSession checks the user and starts the session. The caller holds the lock of the
// user's row. It uses up the second factor, which may set ACR and AMR. ErrRevoked, *FactorDueError,
// ErrReplayed: see SignIn.
func (db *DB) startCheckedSession(tx *gorm.DB, s *SignIn, at time.Time) (startedSession, error) {
	user, err := requireUnchanged(tx, s.UserID, s.NotBefore)
	if err != nil {
		return startedSession{}, err
	}
	recovery := false
	s.skipped = false // a transaction may run twice
	if s.Factor == nil && user.AsksFactor && !ACRReaches(s.ACR, ACRTwoFactors) {
		if s.skipped, err = skipFactor(tx, *s, at); err != nil {
			return startedSession{}, err
		}
	}
	switch {
	case s.Passkey != nil && ACRReaches(s.ACR, ACRTwoFactors): // the key and the check of the user by its authenticator
	case s.Trust != nil && s.Factor == nil:
		return startedSession{}, errTrustWithoutFactor
	case s.skipped:
	case s.Factor == nil && user.AsksFactor:
		return startedSession{}, &FactorDueError{UserID: s.UserID, NotBefore: user.NotBefore}
	case s.Factor == nil && ACRReaches(s.ACR, ACRTwoFactors):
		return startedSession{}, errors.New("start session: the acr names a second factor, and there is none")
	case s.Factor != nil:
		if recovery, err = s.Factor.use(tx, s, at); err != nil {
			return startedSession{}, err
		}
	}
	in, err := startSession(tx, *s, user.startsAfter(), at)
	if err == nil && recovery {
		err = db.recordRecoveryCode(tx, *s, in.ID, at)
	}
	if err == nil && s.Trust != nil {
		err = db.trustBrowser(tx, *s, in.ID, user.startsAfter(), at)
	}
	return in, err
}

// finishSignIn renews the password hash, gives the reserved attempt back, tells the user of a new
// browser and records the sign-in. It records the event user.signed_in.
func (db *DB) finishSignIn(tx *gorm.DB, s SignIn, in startedSession, at time.Time) error {
	if err := acceptFirstProof(tx, s, at); err != nil {
		return err
	}
	if s.NewBrowser && !in.resumed {
		// The event of this sign-in does not exist yet.
		arrival := MailDraft{Kind: MailNewBrowser, UserID: s.UserID, ClientID: s.ClientID}
		err := db.notifyIf(tx, arrival, By{From: s.From, At: at}, `EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.id AND e.user_id <> '' AND e.type = 'user.signed_in')`)
		if err != nil {
			return err
		}
	}
	detail := map[string]any{"acr": s.ACR, "amr": s.AMR}
	if in.FactorSkipped {
		detail["trusted_browser"] = true
	}
	return record(tx, Event{
		Type: UserSignedIn, Outcome: Succeeded, UserID: s.UserID, ClientID: s.ClientID, SessionID: in.ID, Connector: s.connector,
		From: s.From, Detail: detail, repeated: in.repeated,
	}, at)
}

// requireEnabled returns the moment after which a session of the user must be created.
// ErrRevoked: the user is disabled or deleted.
func requireEnabled(tx *gorm.DB, userID string) (Millis, error) {
	user, err := requireUnchanged(tx, userID, nil)
	return user.startsAfter(), err
}

// signingIn is what a sign-in must know about its user.
type signingIn struct {
	NotBefore  Millis // of the user
	Instance   Millis // not_before of the instance
	AsksFactor bool   // see asksSecondFactor
}

// startsAfter returns the moment after which a session of the user must be created.
func (u signingIn) startsAfter() Millis { return max(u.NotBefore, u.Instance) }

// requireUnchanged is requireEnabled, and also returns ErrRevoked if not_before of the user is
// no longer seen. If seen is nil, it is not compared.
func requireUnchanged(tx *gorm.DB, userID string, seen *Millis) (signingIn, error) {
	compared := Millis(-1)
	if seen != nil {
		compared = *seen
	}
	var u signingIn
	found, err := selectSigningIn.QueryRow(tx, []any{(*int64)(&u.NotBefore), (*int64)(&u.Instance), &u.AsksFactor}, userID, int64(compared), int64(compared))
	if err != nil {
		return signingIn{}, err
	}
	if !found {
		return signingIn{}, ErrRevoked
	}
	return u, nil
}

// The parameter is cast because PostgreSQL would take it for a small integer. No user has a negative
// not_before.
var selectSigningIn = engine.NewStatement(`SELECT u.not_before, i.not_before, ` + asksSecondFactor + `
	FROM users u, instance i WHERE u.id = ? AND u.disabled_at = 0 AND i.id = 1 AND (CAST(? AS BIGINT) < 0 OR u.not_before = ?)`)

// startSession continues the session of the browser or creates a new one. A session that
// continues gets the sign-in method of this sign-in; the grants that it has opened keep theirs.
func startSession(tx *gorm.DB, s SignIn, notBefore Millis, at time.Time) (startedSession, error) {
	before, err := resumedSession(tx, s, at)
	if err != nil {
		return startedSession{}, err
	}
	if s.Raises && (before.ID == "" || s.Factor == nil) {
		return startedSession{}, ErrRevoked
	}
	from := s.From.clean()
	now := At(at)
	session := Session{
		ID: before.ID, HandleHash: s.HandleHash, UserID: s.UserID, ArrivedAt: now,
		Persistent: s.Persistent, Agent: from.Agent, Address: from.Address,
		IdleFor: s.IdleFor, CreatedAt: before.CreatedAt, SeenAt: now,
		IdleExpiresAt: now.Add(s.IdleFor), ExpiresAt: now.Add(s.AbsoluteFor),
	}
	if s.Raises {
		raiseProof(&session, before, s, now)
	} else {
		applyProof(&session, before, s, at)
	}
	if before.ID != "" {
		return startedSession{session, true, true}, replaceSession(tx, session)
	}
	// If this clock is behind the one that moved not_before, the session must be later than
	// not_before nevertheless, or it would not be live.
	session.ID, session.CreatedAt = NewID("ses_"), max(now, notBefore+1)
	row, err := engine.Values(&session)
	if err != nil {
		return startedSession{}, err
	}
	if _, err := insertSession().Exec(tx, row...); err != nil {
		return startedSession{}, err
	}
	repeated, err := trimSessions(tx, session, By{From: s.From, At: at})
	return startedSession{session, false, repeated}, err
}

var insertSession = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`INSERT INTO sessions (` + engine.ColumnNames(&Session{}) + `) VALUES (` + engine.Placeholders(&Session{}) + `)`)
})

// applyProof sets the proof on which the session stands, and adds a fact. The proof is one set:
// auth_time, acr and amr (OIDC Core, section 2), whether the second factor was left out, and the way to
// sign in that was used. Values of two proofs are never mixed: the session would state more than
// happened, or would end with the wrong way.
//
// A session keeps its newest proof: a return from an upstream without a newer one changes nothing, so
// that an older proof never looks new. It also keeps a stronger one that meets s.KeepStronger.
func applyProof(session *Session, before Session, s SignIn, at time.Time) {
	now := At(at)
	proved, fact := now, Fact{Kind: FactAuthenticated, At: now, Request: s.Request}
	if a := s.Asserted; a != nil {
		proved = max(0, min(a.AuthTime, now))
		if !a.Reauthenticated || proved == 0 {
			fact.Kind, fact.Connector, fact.Proved = FactArrived, a.Connector, proved
		}
	}
	session.Facts = newestFacts(append(before.Facts, fact))
	session.AuthTime, session.ACR, session.AMR = proved, s.ACR, s.AMR
	session.Connector, session.Identity, session.FactorSkipped = s.through.Connector, cmp.Or(s.passkey, s.through.key(), s.confirmedBy), s.skipped
	stronger := !ACRReaches(s.ACR, before.ACR) && ACRReaches(before.ACR, s.ACR)
	older := before.AuthTime > proved && !(before.FactorSkipped && s.Factor != nil) // not if it brings the skipped factor
	if older || stronger && s.KeepStronger != nil && before.Proves(*s.KeepStronger, at) {
		session.AuthTime, session.ACR, session.AMR = before.AuthTime, before.ACR, before.AMR
		session.Connector, session.Identity, session.FactorSkipped = before.Connector, before.Identity, before.FactorSkipped
	}
}

// raiseProof adds a second factor to the proofs of a session. auth_time stays, because the first
// proof is no newer than before.
func raiseProof(session *Session, before Session, s SignIn, now Millis) {
	session.Facts = newestFacts(append(before.Facts, Fact{Kind: FactAuthenticated, At: now, Request: s.Request}))
	session.AuthTime, session.Connector, session.Identity = before.AuthTime, before.Connector, cmp.Or(before.Identity, s.confirmedBy)
	session.ACR, session.AMR = StrongerACR(before.ACR, s.ACR), slices.Clone(before.AMR)
	for _, method := range s.AMR {
		if !slices.Contains(session.AMR, method) {
			session.AMR = append(session.AMR, method)
		}
	}
}

// resumedSession returns the session of the browser's old handle if the sign-in continues it,
// and otherwise the zero Session. It ends a session of another user.
func resumedSession(tx *gorm.DB, s SignIn, at time.Time) (Session, error) {
	if refuseImpossible(s.Replaces) != nil {
		return Session{}, nil // no handle, or a malformed one
	}
	var before Session
	found, err := lockResumed().QueryRow(tx, engine.Destinations(&before), append([]any{s.Replaces, s.UserID}, sessionArgs(at)...)...)
	if found || err != nil {
		return before, err
	}
	var owner string
	if found, err = selectHandleOwner.QueryRow(tx, []any{&before.ID, &owner}, s.Replaces); !found || err != nil || owner == s.UserID {
		return Session{}, err
	}
	return Session{}, endSession(tx, owner, before.ID, "replaced", By{From: s.From, At: at})
}

var (
	// lockResumed changes nothing. It writes the row to lock it until the end of the transaction, and
	// reads it under the lock.
	lockResumed = sync.OnceValue(func() engine.Statement {
		return engine.NewStatement(`UPDATE sessions AS s SET seen_at = s.seen_at WHERE s.handle_hash = ? AND s.user_id = ? AND ` + sessionLives + `
			RETURNING ` + engine.ColumnNames(&Session{}))
	})
	selectHandleOwner = engine.NewStatement(`SELECT id, user_id FROM sessions WHERE handle_hash = ?`)
)

// replaceSession updates the row of the session, except its ID, creation time and end.
func replaceSession(tx *gorm.DB, s Session) error {
	amr, err := engine.JSONText(s.AMR)
	if err != nil {
		return err
	}
	facts, err := engine.JSONText(s.Facts)
	if err != nil {
		return err
	}
	changed, err := updateSession.Exec(tx, s.HandleHash, s.AuthTime, s.ArrivedAt, s.Connector, s.Identity, s.ACR, amr, facts, s.FactorSkipped,
		s.Persistent, s.Agent, s.Address, s.IdleFor.Milliseconds(), s.SeenAt, s.IdleExpiresAt, s.ExpiresAt, s.ID, s.UserID)
	if err == nil && changed != 1 {
		err = ErrRevoked
	}
	return err
}

var updateSession = engine.NewStatement(`UPDATE sessions SET handle_hash = ?, auth_time = ?, arrived_at = ?, connector = ?, identity = ?, acr = ?, amr = ?, facts = ?,
	factor_skipped = ?, persistent = ?, agent = ?, address = ?, idle_for = ?, seen_at = ?, idle_expires_at = ?, expires_at = ? WHERE id = ? AND user_id = ?`)

// renewHash replaces the password hash by one with the current parameters, unless the password
// was changed meanwhile.
func renewHash(tx *gorm.DB, s SignIn, at time.Time) error {
	if s.OldHash == "" || s.NewHash == "" {
		return nil
	}
	return tx.Exec(`UPDATE credentials SET secret = ?, updated_at = ? WHERE user_id = ? AND kind = 'password' AND secret = ?`,
		[]byte(s.NewHash), At(at), s.UserID, []byte(s.OldHash)).Error
}
