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
	Grant      Grant  // what is opened if there is nothing to go on with, as in CodeRedemption
	GrantID    string // of the refresh token that came; "" if none did
	Generation int64  // likewise
	Grace      time.Duration
	From       Origin
}

// RenewFirstParty opens the first-party grant of a live session or moves it to its
// next generation, in one transaction, and gives it as it then is. A session has
// one such grant. It moves once in a grace: before that is over the current generation
// is given again, without a refresh token, with that of another grant, with its own or
// the one before. So a crowd of calls that overtake one another, from tabs that know
// of no lock, ends with one token and is no replay.
//
// ErrReplayed: the token's generation is older than that, or ahead of the row; the
// grant is revoked and the session ended then, committed. Event grant.replayed.
// ErrRevoked: the session, its user or the client is gone.
func (db *DB) RenewFirstParty(ctx context.Context, r FirstPartyRenewal, at time.Time) (Grant, error) {
	if err := refuseImpossible(r.Grant.ID, r.Grant.UserID, r.Grant.ClientID, r.Grant.SessionID); err != nil {
		return Grant{}, fmt.Errorf("renew first-party grant: %w", err)
	}
	if r.Grant.Offline {
		return Grant{}, errors.New("renew first-party grant: it ends with its session, so it cannot be offline")
	}
	var grant Grant
	err := db.write(ctx, "renew first-party grant", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, r.Grant.UserID, forShare); err != nil {
			return err
		}
		// The session's row lock makes the renewals of one session follow each other.
		session, err := touchSession(tx, r.Grant.UserID, r.Grant.SessionID, r.Grant.ClientID, at)
		if err != nil {
			return err
		}
		var going bool
		grant, going, err = goOnFirstParty(tx, r, at)
		if err != nil || going {
			return err
		}
		grant = r.Grant
		grant.FirstParty = true
		grant.CreatedAt = max(At(at), session.made) // as in RedeemCode
		return openGrant(tx, &grant, session, at)
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

// goOnFirstParty goes on with the grant that the session has. If there is none that
// lives, the way is free for a new one afterwards: a dead one, or one of the client
// that was the first party before, is out of the way.
func goOnFirstParty(tx *gorm.DB, r FirstPartyRenewal, at time.Time) (grant Grant, going bool, err error) {
	var live bool
	args := append(grantNow(at), r.Grant.SessionID)
	found, err := selectFirstParty().QueryRow(tx, append(engine.Destinations(&grant), &live), args...)
	if err != nil || !found {
		return Grant{}, false, err
	}
	if live && grant.ClientID == r.Grant.ClientID {
		current := grant.Generation
		switch {
		case r.GrantID == grant.ID && r.Generation != current:
			grant, err = lateRotation(tx, GrantRotation{
				GrantID: grant.ID, Generation: r.Generation, UserID: grant.UserID, ClientID: grant.ClientID,
				Grace: r.Grace, From: r.From,
			}, at)
			return grant, true, err
		case At(at) < grant.RotatedAt.Add(r.Grace):
			return grant, true, nil
		}
		args := append([]any{At(at), At(at), grant.ID, current, grant.UserID, grant.ClientID}, grantNow(at)...)
		if going, err = rotateLive().QueryRow(tx, engine.Destinations(&grant), args...); err != nil || going {
			return grant, going, err
		}
	}
	_, err = revokeGrant(tx, grant.ID, "superseded", at)
	return Grant{}, false, err
}

var selectFirstParty = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Grant{}, "g") + `, ` + grantLives + `
		FROM grants g WHERE g.session_id = ? AND g.first_party AND g.revoked_at = 0`)
})

// FirstPartyState is a live session with its user.
type FirstPartyState struct {
	Session Session
	User    User
	Renewed Millis // when the session's first-party grant was last opened or rotated; 0 if it has none
}

// FirstPartySession is SessionByHandle with the state of the session's first-party
// grant, in the same one statement.
func (db *DB) FirstPartySession(ctx context.Context, handleHash string, at time.Time) (FirstPartyState, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return FirstPartyState{}, fmt.Errorf("read session: %w", err)
	}
	var s FirstPartyState
	var renewed int64
	err := db.read(ctx, "read session", func(q *gorm.DB) error {
		into := append(append(engine.Destinations(&s.Session), engine.Destinations(&s.User)...), &renewed)
		return engine.RequireRow(selectFirstPartySession().QueryRow(q, into, append([]any{handleHash}, sessionNow(at)...)...))
	})
	s.Renewed = Millis(renewed)
	return s, err
}

// The hash is cast for the reason given at selectLiveGrant.
var selectFirstPartySession = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Session{}, "s") + `, ` + engine.ColumnsOf(&User{}, "o") + `, COALESCE(g.rotated_at, 0)
		FROM sessions s JOIN users o ON o.id = s.user_id
			LEFT JOIN grants g ON g.session_id = s.id AND g.first_party AND g.revoked_at = 0
		WHERE s.handle_hash = CAST(? AS TEXT) AND ` + sessionLives)
})
