package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// GrantRotation is the input of DB.RotateGrant: what a refresh token says.
type GrantRotation struct {
	GrantID    string
	Generation int64
	UserID     string // of the token: must equal the row's
	ClientID   string // likewise
	Grace      time.Duration
	Online     bool // the client may not have offline_access any more: from now on the grant is online
	From       Origin
}

// RotateGrant moves a live grant to its next generation by one conditional
// update, and gives it as it then is. The generation before the current one, less
// than the grace after the rotation, gets the current one again: a lost answer
// and two tabs end with one token and no fork. Event grant.retried.
//
// check sees the grant before anything is kept; its error undoes the rotation. It
// may run twice.
//
// ErrReplayed: the generation is older, or ahead of the row (a restored backup);
// the grant is revoked then, and a first-party session ended, committed (RFC 9700,
// section 4.14.2). Event grant.replayed. ErrRevoked: the grant is dead. ErrNotFound: there is
// none, or it is another user's or client's; nothing happens to it.
func (db *DB) RotateGrant(ctx context.Context, r GrantRotation, check func(Grant) error, at time.Time) (Grant, error) {
	if err := refuseImpossible(r.GrantID, r.UserID, r.ClientID); err != nil {
		return Grant{}, fmt.Errorf("rotate grant: %w", err)
	}
	var grant Grant
	err := db.write(ctx, "rotate grant", func(tx *gorm.DB) error {
		if err := seeSessionOf(tx, r.GrantID, at); err != nil {
			return err
		}
		grant = Grant{}
		args := append([]any{At(at), At(at), r.GrantID, r.Generation, r.UserID, r.ClientID}, grantNow(at)...)
		rotate := rotateLive()
		if r.Online {
			rotate = rotateOnline()
		}
		rotated, err := rotate.QueryRow(tx, engine.Destinations(&grant), args...)
		if err != nil {
			return err
		}
		if rotated {
			return checked(check, grant)
		}
		if grant, err = lateRotation(tx, r, at); err != nil {
			return err
		}
		return checked(check, grant)
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

var (
	rotateLive   = sync.OnceValue(func() engine.Statement { return rotateGrantThat(grantLives, "") })
	rotateOnline = sync.OnceValue(func() engine.Statement { return rotateGrantThat(onlineLives, ", offline = FALSE") })
)

func rotateGrantThat(lives, andSet string) engine.Statement {
	return engine.NewStatement(`UPDATE grants AS g SET generation = g.generation + 1, rotated_at = ?, idle_expires_at = ? + g.idle_for` + andSet + `
		WHERE g.id = ? AND g.generation = ? AND g.user_id = ? AND g.client_id = ? AND ` + lives + `
		RETURNING ` + engine.ColumnNames(&Grant{}))
}

// errChecked marks the error of a caller's check: a verdict like any other, which
// undoes this use case and leaves its neighbours alone.
var errChecked = engine.NewVerdict("refused")

func checked(check func(Grant) error, g Grant) error {
	if err := check(g); err != nil {
		return fmt.Errorf("%w: %w", errChecked, err)
	}
	return nil
}

// lateRotation decides about a generation that is not the current one of a live
// grant. It reads the row in the write transaction: a replica could lag. What a refusal
// has done is kept.
func lateRotation(tx *gorm.DB, r GrantRotation, at time.Time) (Grant, error) {
	var rows []struct {
		Grant `gorm:"embedded"`
		Live  bool
	}
	lives := liveGrant(at)
	if r.Online {
		lives = liveOnlineGrant(at)
	}
	err := tx.Raw(`SELECT g.*, ? AS live FROM grants g WHERE g.id = ? AND g.user_id = ? AND g.client_id = ?`,
		lives, r.GrantID, r.UserID, r.ClientID).Scan(&rows).Error
	switch {
	case err != nil:
		return Grant{}, err
	case len(rows) == 0:
		return Grant{}, engine.Committed(ErrNotFound)
	case !rows[0].Live:
		return Grant{}, engine.Committed(whyDead(tx, r.GrantID, at))
	}
	grant := rows[0].Grant
	if r.Generation == grant.Generation-1 && At(at) < grant.RotatedAt.Add(r.Grace) {
		return grant, record(tx, Event{
			Type: GrantRetried, Outcome: Succeeded, UserID: grant.UserID, ClientID: grant.ClientID,
			SessionID: grant.SessionID, GrantID: grant.ID, From: r.From,
		}, at)
	}
	reason := "refresh_token_replayed"
	if r.Generation > grant.Generation {
		reason = "refresh_token_ahead"
	}
	if err := revokeReplayed(tx, grant.ID, reason, By{From: r.From, At: at}); err != nil {
		return Grant{}, err
	}
	return Grant{}, engine.Committed(ErrReplayed)
}

// seeSessionOf notes the live session of an online grant as seen, at most every
// five minutes: a client that refreshes keeps the session in use. It comes before
// the grant is touched: session rows are locked first, everywhere.
func seeSessionOf(tx *gorm.DB, grantID string, at time.Time) error {
	args := append([]any{At(at), At(at), grantID, At(at.Add(-seenEvery))}, sessionNow(at)...)
	_, err := seeSession.Exec(tx, args...)
	return err
}

var seeSession = engine.NewStatement(`UPDATE sessions AS s SET seen_at = ?, idle_expires_at = ? + s.idle_for
	WHERE s.id = (SELECT g.session_id FROM grants g WHERE g.id = ? AND NOT g.offline) AND s.seen_at <= ? AND ` + sessionLives)

// RefreshableGrant reads a grant as a refresh token of a generation sees it, without
// rotating it: for introspection.
//
// ErrNotFound: the grant is dead, another user's or client's, or in another generation.
func (db *DB) RefreshableGrant(ctx context.Context, r GrantRotation, at time.Time) (Grant, error) {
	read := db.LiveGrant
	if r.Online {
		read = db.LiveOnlineGrant
	}
	grant, _, err := read(ctx, r.GrantID, "", at)
	if err != nil {
		return Grant{}, err
	}
	if grant.Generation != r.Generation || grant.UserID != r.UserID || grant.ClientID != r.ClientID {
		return Grant{}, fmt.Errorf("read grant: %w", ErrNotFound)
	}
	return grant, nil
}
