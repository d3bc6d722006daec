package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Notice is a row of the outbox: a back-channel logout notice for one client about one ended
// session. The row stays afterwards and records the result.
type Notice struct {
	ID        string // the same for one client and one session, so that no notice is sent twice
	UserID    string
	ClientID  string
	SessionID string // the session that has ended
	// ChosenSubject is that of the user, who may be deleted by now.
	ChosenSubject string `gorm:"column:subject"`

	Tries       int64  // attempts that have begun
	DueAt       Millis // when the next attempt is due
	LeasedUntil Millis // a node is delivering it until then
	DeliveredAt Millis
	GivenUpAt   Millis
	LastError   string // a stable code; "": the last attempt succeeded, or there was none
	CreatedAt   Millis `gorm:"autoCreateTime:false"`
}

// TableName returns the name of the table, which also holds mails.
func (Notice) TableName() string { return "outbox" }

// Settled reports whether there will be no further attempt.
func (n Notice) Settled() bool { return n.DeliveredAt != 0 || n.GivenUpAt != 0 }

// queueLogout writes a notice for each client of the sessions that the condition selects. It
// runs in the transaction that ends them, and is one statement for any number of sessions. The
// condition refers to sessions as s. A client belongs to a session if it ever got a grant of it,
// offline or not, revoked or not, because it may still show the person as signed in.
//
// The metadata are the JSON text of encoding/json. In it, a quotation mark within a value always
// follows a backslash, so the pattern matches only the member name.
//
// The subquery finds the few pairs of session and client among all grants of the users first.
// For each pair, and not for each grant, the sessions and clients are read: SQLite has one
// writer, and a user with many grants must not hold it.
func queueLogout(tx *gorm.DB, at time.Time, sessions string, args ...any) error {
	all := append([]any{At(at), At(at)}, args...)
	return tx.Exec(`INSERT INTO outbox (id, kind, user_id, subject, client_id, session_id, due_at, created_at)
		SELECT s.user_id || ':' || s.id || ':' || c.id, 'logout', s.user_id, COALESCE((SELECT subject FROM users WHERE users.id = s.user_id), ''), c.id, s.id, CAST(? AS BIGINT), CAST(? AS BIGINT)
		FROM (SELECT DISTINCT user_id, session_id, client_id FROM grants WHERE user_id IN (SELECT s.user_id FROM sessions s WHERE `+sessions+`)) g
		JOIN sessions s ON s.id = g.session_id AND s.user_id = g.user_id JOIN clients c ON c.id = g.client_id
		WHERE `+sessions+` AND c.disabled_at = 0 AND c.metadata LIKE '%"backchannel_logout_uri":%'
		ON CONFLICT (id) DO NOTHING`, append(all, args...)...).Error
}

// LogoutNotices lists the notices for one session that were created at or after since, by
// client. If sessionID is empty, it lists those for all sessions of the user.
func (db *DB) LogoutNotices(ctx context.Context, userID, sessionID string, since time.Time) ([]Notice, error) {
	scope := noticeScope{UserID: userID, SessionID: sessionID}
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	var list []Notice
	err := db.read(ctx, "list notices", func(q *gorm.DB) error {
		return scope.apply(q).Where("created_at >= ?", At(since)).Order("client_id, id").Find(&list).Error
	})
	return list, err
}

// noticeScope selects all notices, those of a user, or those of a session. IDs begin with the
// IDs of the user and the session, so the primary key finds them.
type noticeScope struct{ UserID, SessionID string }

func (n noticeScope) apply(q *gorm.DB) *gorm.DB {
	q = q.Where("kind = 'logout'")
	if n.UserID == "" {
		return q
	}
	if n.SessionID != "" {
		q = q.Where("session_id = ?", n.SessionID)
	}
	after, before := n.ids()
	return q.Where("user_id = ? AND id > ? AND id < ?", n.UserID, after, before)
}

// ids returns the bounds of the selected IDs. A semicolon is the byte after a colon.
func (n noticeScope) ids() (after, before string) {
	begin := n.UserID
	if n.SessionID != "" {
		begin += ":" + n.SessionID
	}
	return begin + ":", begin + ";"
}

// NoticeClaim is the input of DB.ClaimNotices.
type NoticeClaim struct {
	UserID, SessionID string        // select the notices; UserID "": of all users; SessionID "": of all sessions
	Except            []string      // IDs of clients; their notices are not claimed
	Limit             int           // the largest number of notices
	Lease             time.Duration // how long no other node gets them
}

// ClaimNotices takes notices that are due for one attempt each, the longest due first. Each
// notice goes to one node only. If that node does not settle it, it is due again when the lease
// ends. If no notice is due, nothing is written.
func (db *DB) ClaimNotices(ctx context.Context, c NoticeClaim, at time.Time) (claimed []Notice, err error) {
	due := outboxClaim{step: "notices", kind: "logout", limit: c.Limit, lease: c.Lease, more: func(q *gorm.DB) *gorm.DB {
		q = noticeScope{c.UserID, c.SessionID}.apply(q)
		if len(c.Except) > 0 {
			q = q.Where("client_id NOT IN ?", c.Except)
		}
		return q
	}}
	err = db.claimDue(ctx, due, at, func(tx *gorm.DB) *gorm.DB { claimed = nil; return tx.Scan(&claimed) }, engine.ColumnNames(&Notice{}))
	return claimed, err
}

// outboxClaim describes which rows of the outbox a node takes.
type outboxClaim struct {
	step  string // for errors
	kind  string
	more  func(q *gorm.DB) *gorm.DB // further conditions; nil: none
	limit int
	lease time.Duration
}

// claimDue takes rows of one kind that are due, the longest due first, and passes the query that
// returns them to scan. If no row is due, nothing is written.
func (db *DB) claimDue(ctx context.Context, c outboxClaim, at time.Time, scan func(*gorm.DB) *gorm.DB, columns string) error {
	until := At(at.Add(c.lease))
	// A lease that ends later was taken under a fast clock, and counts as over. The factor
	// allows for the normal clock difference between nodes.
	tooLate := At(at.Add(2 * c.lease))
	var ids []string
	err := db.read(ctx, "look for "+c.step, func(q *gorm.DB) error {
		q = q.Table("outbox").Where(`kind = ? AND delivered_at = 0 AND given_up_at = 0 AND due_at <= ? AND (leased_until <= ? OR leased_until > ?)`,
			c.kind, At(at), At(at), tooLate)
		if c.more != nil {
			q = c.more(q)
		}
		return q.Order("due_at").Limit(c.limit).Pluck("id", &ids).Error
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return db.write(ctx, "claim "+c.step, func(tx *gorm.DB) error {
		return scan(tx.Raw(`UPDATE outbox SET tries = tries + 1, leased_until = ?
			WHERE id IN ? AND delivered_at = 0 AND given_up_at = 0 AND due_at <= ? AND (leased_until <= ? OR leased_until > ?)
			RETURNING `+columns, until, ids, At(at), At(at), tooLate)).Error
	})
}

// NoticeResult is the result of one attempt to deliver a notice.
type NoticeResult struct {
	Error   string    // a stable code; "": the notice was delivered
	RetryAt time.Time // when to try again after an error; zero: never
}

// SettleNotice records the result of an attempt with a claimed notice. If the lease has ended
// and another node has taken the notice, it does nothing. It records the event logout.delivered, or
// logout.failed when delivery is given up.
func (db *DB) SettleNotice(ctx context.Context, n Notice, r NoticeResult, at time.Time) error {
	event := Event{
		Type: LogoutDelivered, Outcome: Succeeded, Reason: r.Error,
		UserID: n.UserID, ClientID: n.ClientID, SessionID: n.SessionID, Detail: map[string]any{"tries": n.Tries},
	}
	delivered, givenUp, due := At(at), Millis(0), n.DueAt
	if r.Error != "" {
		event.Type, event.Outcome = LogoutFailed, Refused
		delivered, givenUp = 0, At(at)
	}
	if !r.RetryAt.IsZero() {
		givenUp, due = 0, At(r.RetryAt)
	}
	return db.write(ctx, "settle notice", func(tx *gorm.DB) error {
		stillClaimed, err := changeOne(tx, `UPDATE outbox SET delivered_at = ?, given_up_at = ?, due_at = ?, leased_until = 0, last_error = ?
			WHERE id = ? AND tries = ? AND leased_until = ?`,
			delivered, givenUp, due, cleanText(r.Error, longestName), n.ID, n.Tries, n.LeasedUntil)
		if err != nil || !stillClaimed || !r.RetryAt.IsZero() {
			return err
		}
		return record(tx, event, at)
	})
}
