package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// GrantRotation is the input of DB.RotateGrant: the content of a refresh token.
type GrantRotation struct {
	GrantID    string
	Generation int64
	ClientID   string // of the token; must equal that of the row
	// CheckSubject compares the subject of the token with the row, before anything changes. Its
	// error ends the use case. Nil: there is nothing to compare.
	CheckSubject func(Grant) error
	Grace        time.Duration
	Online       bool // the client may no longer have offline_access: make the grant online
	From         Origin
}

// RotateGrant moves a live grant to its next generation by one conditional update, and returns
// it as it is afterwards. A token of the previous generation gets the current generation again
// until Grace has passed since the rotation. So a lost response, or two tabs, end with one
// token. It records the event grant.retried.
//
// check gets the grant before the rotation is committed; its error undoes the rotation. It may
// run twice.
//
// ErrReplayed: the generation is older than the previous one, or newer than the row (after a
// restored backup). The grant is revoked, and a first-party session has ended; this is committed
// (RFC 9700, section 4.14.2). It records the event grant.replayed. ErrRevoked: the grant is not live.
// ErrNotFound: there is no such grant, or it is another client's; nothing changes.
func (db *DB) RotateGrant(ctx context.Context, r GrantRotation, check func(Grant) error, at time.Time) (Grant, error) {
	if err := refuseImpossible(r.GrantID, r.ClientID); err != nil {
		return Grant{}, fmt.Errorf("rotate grant: %w", err)
	}
	var grant Grant
	err := db.write(ctx, "rotate grant", func(tx *gorm.DB) error {
		if err := touchSessionOfGrant(tx, r.GrantID, at); err != nil {
			return err
		}
		grant = Grant{}
		args := append([]any{At(at), At(at), r.GrantID, r.Generation, r.ClientID}, grantArgs(at)...)
		rotate := rotateLive()
		if r.Online {
			rotate = rotateOnline()
		}
		rotated, err := rotate.QueryRow(tx, engine.Destinations(&grant), args...)
		if err != nil {
			return err
		}
		if rotated {
			if err := r.checkSubject(grant); err != nil {
				return err
			}
			return runCheck(check, grant)
		}
		if grant, err = retryOrRevoke(tx, r, at); err != nil {
			return err
		}
		return runCheck(check, grant)
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}

var (
	rotateLive   = sync.OnceValue(func() engine.Statement { return buildRotateGrant(grantLives, "") })
	rotateOnline = sync.OnceValue(func() engine.Statement { return buildRotateGrant(onlineLives, ", offline = FALSE") })
)

func buildRotateGrant(lives, andSet string) engine.Statement {
	return engine.NewStatement(`UPDATE grants AS g SET generation = g.generation + 1, rotated_at = ?, idle_expires_at = ? + g.idle_for` + andSet + `
		WHERE g.id = ? AND g.generation = ? AND g.client_id = ? AND ` + lives + `
		RETURNING ` + engine.ColumnNames(&Grant{}))
}

// errCheckFailed marks the error of a function that the caller passed. It is a verdict: it
// undoes this use case only, and leaves the other use cases of the batch alone.
var errCheckFailed = engine.NewVerdict("refused")

// checkSubject calls CheckSubject and marks its error.
func (r GrantRotation) checkSubject(g Grant) error {
	if r.CheckSubject == nil {
		return nil
	}
	return runCheck(r.CheckSubject, g)
}

// runCheck calls check and marks its error.
func runCheck(check func(Grant) error, g Grant) error {
	if err := check(g); err != nil {
		return fmt.Errorf("%w: %w", errCheckFailed, err)
	}
	return nil
}

// retryOrRevoke decides about a refresh token that is not of the current generation. It returns
// the grant for a retry within the grace period, and otherwise revokes it. It reads the row in
// the write transaction, because a replica may lag. The effects of a refusal are committed.
func retryOrRevoke(tx *gorm.DB, r GrantRotation, at time.Time) (Grant, error) {
	var rows []struct {
		Grant `gorm:"embedded"`
		Live  bool
	}
	lives := liveGrant(at)
	if r.Online {
		lives = liveOnlineGrant(at)
	}
	err := tx.Raw(`SELECT g.*, ? AS live FROM grants g WHERE g.id = ? AND g.client_id = ?`,
		lives, r.GrantID, r.ClientID).Scan(&rows).Error
	switch {
	case err != nil:
		return Grant{}, err
	case len(rows) == 0:
		return Grant{}, engine.Committed(ErrNotFound)
	case !rows[0].Live:
		return Grant{}, engine.Committed(explainDeadGrant(tx, r.GrantID, at))
	}
	grant := rows[0].Grant
	if err := r.checkSubject(grant); err != nil {
		return Grant{}, err
	}
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

// touchSessionOfGrant marks the live session of an online grant as seen, at most every five
// minutes, so that a client that refreshes keeps the session from expiring. It runs before the
// grant is changed, because all use cases lock session rows first.
func touchSessionOfGrant(tx *gorm.DB, grantID string, at time.Time) error {
	args := append([]any{At(at), At(at), grantID, At(at.Add(-seenEvery))}, sessionArgs(at)...)
	_, err := touchGrantSession.Exec(tx, args...)
	return err
}

var touchGrantSession = engine.NewStatement(`UPDATE sessions AS s SET seen_at = ?, idle_expires_at = ? + s.idle_for
	WHERE s.id = (SELECT g.session_id FROM grants g WHERE g.id = ? AND NOT g.offline) AND s.seen_at <= ? AND ` + sessionLives)

// RefreshableGrant reads the live grant of a refresh token, without rotating it, for
// introspection.
//
// ErrNotFound: the grant is not live, is another client's, or is in another generation than the
// token.
func (db *DB) RefreshableGrant(ctx context.Context, r GrantRotation, at time.Time) (Grant, error) {
	read := db.LiveGrant
	if r.Online {
		read = db.LiveOnlineGrant
	}
	grant, _, err := read(ctx, r.GrantID, "", at)
	if err != nil {
		return Grant{}, err
	}
	if grant.Generation != r.Generation || grant.ClientID != r.ClientID {
		return Grant{}, fmt.Errorf("read grant: %w", ErrNotFound)
	}
	return grant, r.checkSubject(grant)
}
