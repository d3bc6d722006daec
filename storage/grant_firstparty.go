package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// FirstPartyRenewal is the input of DB.RenewFirstParty.
type FirstPartyRenewal struct {
	Grant      Grant  // the grant to open if the session has none, as in CodeRedemption
	GrantID    string // of the refresh token; "" if the request had none
	Generation int64  // of the refresh token
	Grace      time.Duration
	From       Origin
}

// RenewFirstParty opens the first-party grant of a live session, or moves it to its next
// generation. It returns the grant as it is afterwards. A session has one such grant.
//
// The grant moves at most once within Grace. Until Grace is over, the current generation is
// returned again: for a request without a refresh token, with the token of another grant, or
// with this grant's current or previous token. Requests of several tabs that overtake each
// other, without a common lock, therefore end with one token and are no replay.
//
// ErrReplayed: the generation of the token is older than the previous one, or newer than the
// row. The grant is revoked and the session has ended; this is committed. It records the event grant.replayed.
// ErrRevoked: the session, its user or the client has ended.
func (db *DB) RenewFirstParty(ctx context.Context, r FirstPartyRenewal, at time.Time) (Grant, error) {
	if err := refuseImpossible(r.Grant.ID, r.Grant.UserID, r.Grant.ClientID, r.Grant.SessionID); err != nil {
		return Grant{}, fmt.Errorf("renew first-party grant: %w", err)
	}
	if r.Grant.Offline {
		return Grant{}, errors.New("renew first-party grant: the grant ends with its session, so it cannot be offline")
	}
	var grant Grant
	err := db.write(ctx, "renew first-party grant", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, r.Grant.UserID, forShare); err != nil {
			return err
		}
		// The lock of the session's row makes the renewals of one session run one after another.
		session, err := touchSession(tx, r.Grant.UserID, r.Grant.SessionID, r.Grant.ClientID, at)
		if err != nil {
			return err
		}
		var continued bool
		grant, continued, err = continueFirstParty(tx, r, at)
		if err != nil || continued {
			return err
		}
		grant = r.Grant
		grant.FirstParty = true
		grant.CreatedAt = max(At(at), session.createdAt) // as in RedeemCode
		return openGrant(tx, &grant, session, at)
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

// continueFirstParty renews the first-party grant that the session has, and reports whether
// there was a live one. Otherwise the caller opens a new grant. A grant that is no longer live,
// or belongs to the client that was the first party before, is revoked.
func continueFirstParty(tx *gorm.DB, r FirstPartyRenewal, at time.Time) (grant Grant, continued bool, err error) {
	var live bool
	args := append(grantArgs(at), r.Grant.SessionID)
	found, err := selectFirstParty().QueryRow(tx, append(engine.Destinations(&grant), &live), args...)
	if err != nil || !found {
		return Grant{}, false, err
	}
	if live && grant.ClientID == r.Grant.ClientID {
		current := grant.Generation
		switch {
		case r.GrantID == grant.ID && r.Generation != current:
			grant, err = retryOrRevoke(tx, GrantRotation{
				GrantID: grant.ID, Generation: r.Generation, ClientID: grant.ClientID,
				Grace: r.Grace, From: r.From,
			}, at)
			return grant, true, err
		case At(at) < grant.RotatedAt.Add(r.Grace):
			return grant, true, nil
		}
		args := append([]any{At(at), At(at), grant.ID, current, grant.ClientID}, grantArgs(at)...)
		if continued, err = rotateLive().QueryRow(tx, engine.Destinations(&grant), args...); err != nil || continued {
			return grant, continued, err
		}
	}
	_, err = revokeGrant(tx, grant.ID, "superseded", at)
	return Grant{}, false, err
}

var selectFirstParty = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Grant{}, "g") + `, ` + grantLives + `
		FROM grants g WHERE g.session_id = ? AND g.first_party AND g.revoked_at = 0`)
})

// FirstPartyState is a live session with its user and the state of its first-party grant.
type FirstPartyState struct {
	Session Session
	User    User
	Renewed Millis // when the first-party grant was opened or last rotated; 0: the session has none
}

// FirstPartySession is SessionByHandle with the state of the session's first-party grant. It
// runs one statement.
func (db *DB) FirstPartySession(ctx context.Context, handleHash string, at time.Time) (FirstPartyState, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return FirstPartyState{}, fmt.Errorf("read session: %w", err)
	}
	var s FirstPartyState
	var renewed int64
	err := db.read(ctx, "read session", func(q *gorm.DB) error {
		into := append(append(engine.Destinations(&s.Session), engine.Destinations(&s.User)...), &renewed)
		return engine.RequireRow(selectFirstPartySession().QueryRow(q, into, append([]any{handleHash}, sessionArgs(at)...)...))
	})
	s.Renewed = Millis(renewed)
	return s, err
}

var selectFirstPartySession = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Session{}, "s") + `, ` + engine.ColumnsOf(&User{}, "o") + `, COALESCE(g.rotated_at, 0)
		FROM sessions s JOIN users o ON o.id = s.user_id
			LEFT JOIN grants g ON g.session_id = s.id AND g.first_party AND g.revoked_at = 0
		WHERE s.handle_hash = ? AND ` + sessionLives)
})
