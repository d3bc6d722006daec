package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// How many rows one use case of the sweep goes through at most: others write in
// between. Of a session several tables are asked.
const (
	SweepBatch   = 500
	sessionBatch = 100
)

// SweepRule are rows that are of no more use a while after a moment of theirs. An
// index is on that moment, or on where it is not 0, which is never.
type SweepRule struct {
	table, key, moment string
	keep               time.Duration
}

// String names it in logs and tests.
func (r SweepRule) String() string { return r.table + " by " + r.moment }

const (
	sweepDay     = 24 * time.Hour
	keepSessions = 30 * sweepDay // and grants
)

// SweepRules lists what SweepRows deletes. What a spent id stood for has expired
// when its row does; a grant that died of age or was revoked is told of for as long
// as a session is.
var SweepRules = []SweepRule{
	{"spent", "kind, id", "expires_at", sweepDay},
	{"throttles", "bucket", "expires_at", sweepDay},
	{"pushed_requests", "id", "expires_at", sweepDay},
	{"device_codes", "id", "expires_at", sweepDay},
	{"outbox", "id", "delivered_at", 7 * sweepDay},
	{"grants", "id", "revoked_at", keepSessions},
	{"grants", "id", "expires_at", keepSessions},
	{"consents", "user_id, client_id", "expires_at", keepSessions},
	{"events", "id", "at", 400 * sweepDay},
}

// SweepRows deletes one batch of rows, the oldest, and reports whether it was a
// full one. The condition stands twice since a row may be renewed meanwhile.
func (db *DB) SweepRows(ctx context.Context, r SweepRule, at time.Time) (full bool, err error) {
	old := r.moment + ` <> 0 AND ` + r.moment + ` < ?`
	statement := `DELETE FROM ` + r.table + ` WHERE (` + r.key + `) IN (
		SELECT ` + r.key + ` FROM ` + r.table + ` WHERE ` + old + ` ORDER BY ` + r.moment + ` LIMIT ?) AND ` + old
	over := At(at.Add(-r.keep))
	err = db.write(ctx, "sweep "+r.table, func(tx *gorm.DB) error {
		swept := tx.Exec(statement, over, SweepBatch, over)
		full = swept.RowsAffected == SweepBatch
		return swept.Error
	})
	return full && err == nil, err
}

// SessionCursor is how far a walk along the dead sessions has come; the zero value
// stands at its beginning. Sessions that still have a grant are passed by.
type SessionCursor struct {
	Expired bool // along those that expired, not those that were ended
	moment  Millis
	id      string
}

// SweepSessions deletes the sessions of one batch that have been dead for 30 days,
// with what hangs on them: their grants that have been dead for as long, of whatever
// cause, and their logout notices. A session stays while a grant of it does, as an
// offline one may for a year. It gives where the next batch begins, and whether this
// one was full; if not, the walk begins anew.
func (db *DB) SweepSessions(ctx context.Context, walk SessionCursor, at time.Time) (next SessionCursor, full bool, err error) {
	moment := "ended_at"
	if walk.Expired {
		moment = "expires_at"
	}
	over := At(at.Add(-keepSessions))
	var batch []deadSession
	err = db.read(ctx, "look for dead sessions", func(q *gorm.DB) error {
		return q.Raw(`SELECT id, user_id, `+moment+` AS moment FROM sessions WHERE `+moment+` <> 0 AND `+moment+` < ?
			AND (`+moment+`, id) > (?, ?) ORDER BY `+moment+`, id LIMIT ?`, over, walk.moment, walk.id, sessionBatch).Scan(&batch).Error
	})
	if err != nil || len(batch) == 0 {
		return SessionCursor{Expired: walk.Expired}, false, err
	}
	err = db.write(ctx, "sweep sessions", func(tx *gorm.DB) error {
		for _, s := range batch {
			if err := s.sweep(tx, over); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return walk, false, err
	}
	if len(batch) < sessionBatch {
		return SessionCursor{Expired: walk.Expired}, false, nil
	}
	last := batch[len(batch)-1]
	return SessionCursor{walk.Expired, last.Moment, last.ID}, true, nil
}

// deadSession is one that ended or expired at that moment.
type deadSession struct {
	ID, UserID string
	Moment     Millis
}

// sweep deletes the session and what hangs on it, in the small steps that the indexes
// allow.
func (s deadSession) sweep(tx *gorm.DB, over Millis) error {
	if _, err := deleteDeadGrants.Exec(tx, s.UserID, s.ID, over, over, over, over, over); err != nil {
		return err
	}
	deleted, err := deleteSession.Exec(tx, s.ID, s.UserID, s.ID)
	if err != nil || deleted == 0 {
		return err
	}
	after, before := noticesOf{s.UserID, s.ID}.ids()
	_, err = deleteNotices.Exec(tx, s.UserID, s.ID, after, before)
	return err
}

var (
	// An online grant died with its session; an offline one by its own end, or by
	// not_before of its user or the instance.
	deleteDeadGrants = engine.NewStatement(`DELETE FROM grants WHERE user_id = ? AND session_id = ?
		AND (NOT offline OR idle_expires_at < ? OR expires_at < ? OR (revoked_at <> 0 AND revoked_at < ?)
			OR created_at <= (SELECT u.not_before FROM users u WHERE u.id = grants.user_id AND u.not_before < ?)
			OR created_at <= (SELECT i.not_before FROM instance i WHERE i.id = 1 AND i.not_before < ?))`)

	deleteNotices = engine.NewStatement(`DELETE FROM outbox WHERE kind = 'logout' AND user_id = ? AND session_id = ? AND id > ? AND id < ?`)

	deleteSession = engine.NewStatement(`DELETE FROM sessions WHERE id = ?
		AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = ? AND g.session_id = ?)`)
)

// The measures of a sweep's clock, see StartSweep.
const (
	sweepLease = "sweep"
	sweepClock = "swept"
	sweepLife  = 2 * time.Minute
	sweepStep  = 10 * time.Minute
)

// StartSweep takes the lease of the sweep, for two minutes, and gives the moment to
// sweep by, which is not later than at. False: another holder sweeps. Its caller
// calls it once a minute.
//
// What is deleted does not come back when a clock does. So the sweep has a clock of
// its own, which all nodes share and which goes ahead by ten minutes at a time, ten
// times as fast as the time of the day: a node whose clock is a year ahead
// deletes in its first hour what would have gone in ten, and not a year's worth. It
// begins at the newest event, and goes back at once.
func (db *DB) StartSweep(ctx context.Context, holder string, at time.Time) (until time.Time, mine bool, err error) {
	if err := refuseImpossible(holder); err != nil {
		return time.Time{}, false, fmt.Errorf("start sweep: %w", err)
	}
	var stands Millis
	err = db.write(ctx, "start sweep", func(tx *gorm.DB) error {
		if mine, err = takeLease(tx, sweepLease, holder, sweepLife, at); err != nil || !mine {
			return err
		}
		err := tx.Exec(`INSERT INTO leases (name, expires_at) VALUES (?, COALESCE((SELECT at FROM events ORDER BY at DESC, id DESC LIMIT 1), ?))
			ON CONFLICT (name) DO NOTHING`, sweepClock, At(at)).Error
		if err != nil {
			return err
		}
		return tx.Raw(`UPDATE leases SET expires_at = CASE WHEN expires_at + ? < ? THEN expires_at + ? ELSE ? END WHERE name = ?
			RETURNING expires_at`, sweepStep.Milliseconds(), At(at), sweepStep.Milliseconds(), At(at), sweepClock).Scan(&stands).Error
	})
	return stands.Time(), mine && err == nil, err
}
