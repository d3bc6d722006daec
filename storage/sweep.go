package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// The largest number of rows in one transaction of the sweep, so that other writes can run in
// between. A session needs statements on several tables, so its batch is smaller.
const (
	SweepBatch   = 500
	sessionBatch = 100
)

// SweepRule selects the rows of a table that are deleted keep after the moment in one of their
// columns. There is an index on that column, at least for rows where it is not 0, which means
// never.
type SweepRule struct {
	table, key, moment string
	keep               time.Duration
}

// String returns the name of the rule for logs and tests.
func (r SweepRule) String() string { return r.table + " by " + r.moment }

const (
	sweepDay     = 24 * time.Hour
	keepSessions = 30 * sweepDay // for grants too
)

// SweepRules lists the rows that SweepRows deletes. When the row of a used ID expires, the token
// or code with that ID has expired too. Pushed requests can be large, so they are kept for an hour
// only. Expired and revoked grants are kept as long as ended sessions.
var SweepRules = []SweepRule{
	{"spent", "kind, id", "expires_at", sweepDay},
	{"throttles", "bucket", "expires_at", sweepDay},
	{"pushed_requests", "id", "expires_at", time.Hour},
	{"device_codes", "id", "expires_at", sweepDay},
	{"registration_tokens", "id", "expires_at", sweepDay},
	{"api_calls", "id", "expires_at", time.Hour},
	{"outbox", "id", "delivered_at", 7 * sweepDay},
	{"outbox", "id", "given_up_at", keepSessions},
	{"mail_links", "kind, holder", "expires_at", sweepDay},
	{"address_changes", "id", "expires_at", sweepDay},
	{"trusted_browsers", "id", "expires_at", sweepDay},
	{"grants", "id", "revoked_at", keepSessions},
	{"grants", "id", "expires_at", keepSessions},
	{"consents", "user_id, client_id", "expires_at", keepSessions},
	{"event_deliveries", "event_id", "created_at", keepSessions}, // of those that were given up, and of a webhook that is no longer set
	{"events", "id", "at", EventRetention},
}

// EventRetention is how long audit events are stored by default.
const EventRetention = 400 * sweepDay

// SweepRulesWith returns SweepRules with another retention of audit events.
func SweepRulesWith(eventRetention time.Duration) []SweepRule {
	rules := slices.Clone(SweepRules)
	for i := range rules {
		if rules[i].table == "events" {
			rules[i].keep = eventRetention
		}
	}
	return rules
}

// SweepRows deletes one batch of rows, the oldest first, and reports whether the batch was full.
// The condition is repeated in the DELETE because a row may have been renewed after the SELECT.
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

// SessionCursor is a position in the list of dead sessions. The zero value is the beginning.
// Sessions that still have a grant are skipped.
type SessionCursor struct {
	Expired bool // true: the list of expired sessions; false: of ended sessions
	moment  Millis
	id      string
}

// SweepSessions deletes one batch of sessions that ended or expired more than 30 days ago, with
// their logout notices and those of their grants that have been dead for as long. A session
// stays while one of its grants does; for an offline grant that can be a year. It returns the
// position of the next batch and whether this batch was full. After a batch that is not full,
// the position is the beginning.
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
	next = walk
	err = db.write(ctx, "sweep sessions", func(tx *gorm.DB) error {
		next, full = walk, true
		for _, s := range batch {
			grants, err := s.sweep(tx, over)
			if err != nil {
				return err
			}
			if grants >= Portion { // continue with this session in the next batch
				return nil
			}
			next = SessionCursor{walk.Expired, s.Moment, s.ID}
		}
		full = len(batch) == sessionBatch
		return nil
	})
	if err != nil {
		return walk, false, err
	}
	if !full {
		return SessionCursor{Expired: walk.Expired}, false, nil
	}
	return next, true, nil
}

// deadSession is a session that ended or expired at Moment.
type deadSession struct {
	ID, UserID string
	Moment     Millis
}

// sweep deletes the session with its dead grants and its notices, in steps that each use an
// index. It returns the number of deleted grants. If there are Portion of them, the session may
// have more, and it stays until a later call.
func (s deadSession) sweep(tx *gorm.DB, over Millis) (grants int64, err error) {
	if grants, err = deleteDeadGrants.Exec(tx, s.UserID, s.ID, over, over, over, over, over, Portion); err != nil {
		return 0, err
	}
	deleted, err := deleteSession.Exec(tx, s.ID, s.UserID, s.ID)
	if err != nil || deleted == 0 {
		return grants, err
	}
	after, before := noticeScope{s.UserID, s.ID}.ids()
	_, err = deleteNotices.Exec(tx, s.UserID, s.ID, after, before)
	return grants, err
}

var (
	// An online grant ends with its session. An offline grant ends when it expires or is
	// revoked, or by not_before of its user or the instance.
	deleteDeadGrants = engine.NewStatement(`DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE user_id = ? AND session_id = ?
		AND (NOT offline OR idle_expires_at < ? OR expires_at < ? OR (revoked_at <> 0 AND revoked_at < ?)
			OR created_at <= (SELECT u.not_before FROM users u WHERE u.id = grants.user_id AND u.not_before < ?)
			OR created_at <= (SELECT i.not_before FROM instance i WHERE i.id = 1 AND i.not_before < ?)) LIMIT ?)`)

	deleteNotices = engine.NewStatement(`DELETE FROM outbox WHERE kind = 'logout' AND user_id = ? AND session_id = ? AND id > ? AND id < ?`)

	deleteSession = engine.NewStatement(`DELETE FROM sessions WHERE id = ?
		AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = ? AND g.session_id = ?)`)
)

// The names and periods of the sweep's lease and clock, see StartSweep.
const (
	sweepLease = "sweep"
	sweepClock = "swept"
	sweepLife  = 2 * time.Minute
	sweepStep  = 10 * time.Minute
)

// StartSweep takes the lease of the sweep for two minutes. It returns the time by which to
// sweep, which is not later than at. It returns false if another holder has the lease. Call it
// once a minute.
//
// Deleted rows do not come back when a wrong clock is corrected. Therefore the sweep has its own
// clock, which all nodes share. Each call moves it forward by at most ten minutes, ten times as
// fast as real time. If the clock of a node is a year ahead, that node deletes in its first hour
// only the rows of ten hours, not those of a year. The sweep's clock starts at the newest event.
// If at is earlier, it goes back at once.
func (db *DB) StartSweep(ctx context.Context, holder string, at time.Time) (until time.Time, taken bool, err error) {
	if err := refuseImpossible(holder); err != nil {
		return time.Time{}, false, fmt.Errorf("start sweep: %w", err)
	}
	var clock Millis
	err = db.write(ctx, "start sweep", func(tx *gorm.DB) error {
		if taken, err = takeLease(tx, sweepLease, holder, sweepLife, at); err != nil || !taken {
			return err
		}
		err := tx.Exec(`INSERT INTO leases (name, expires_at) VALUES (?, COALESCE((SELECT at FROM events ORDER BY at DESC, id DESC LIMIT 1), ?))
			ON CONFLICT (name) DO NOTHING`, sweepClock, At(at)).Error
		if err != nil {
			return err
		}
		return tx.Raw(`UPDATE leases SET expires_at = CASE WHEN expires_at + ? < ? THEN expires_at + ? ELSE ? END WHERE name = ?
			RETURNING expires_at`, sweepStep.Milliseconds(), At(at), sweepStep.Milliseconds(), At(at), sweepClock).Scan(&clock).Error
	})
	return clock.Time(), taken && err == nil, err
}
