package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Notice is a row of the outbox: a client is to be told that a session ended. It
// stays for what became of it.
type Notice struct {
	ID        string // the same for one client and one session: nobody is told twice
	UserID    string
	ClientID  string
	SessionID string // which has ended

	Tries       int64  // begun; the one under way included
	DueAt       Millis // of the next try
	LeasedUntil Millis // a node is at it until then
	DeliveredAt Millis
	GivenUpAt   Millis
	LastError   string // a stable code; "" if the last try went well, or there was none
	CreatedAt   Millis `gorm:"autoCreateTime:false"`
}

// TableName is the table's, which holds mails too.
func (Notice) TableName() string { return "outbox" }

// Settled reports whether nothing more will be tried.
func (n Notice) Settled() bool { return n.DeliveredAt != 0 || n.GivenUpAt != 0 }

// queueLogout writes a notice for each client of the sessions s that the condition
// names, in the transaction that ends them and in one statement, however many they
// are. A client of a session is whoever was given a grant of it, offline or not,
// revoked meanwhile or not: it may still show the person as signed in.
//
// The metadata are JSON as encoding/json writes them, where a quotation mark within
// a value is never without its backslash: the pattern finds the member alone.
func queueLogout(tx *gorm.DB, at time.Time, sessions string, args ...any) error {
	return tx.Exec(`INSERT INTO outbox (id, kind, user_id, client_id, session_id, due_at, created_at)
		SELECT DISTINCT s.user_id || ':' || s.id || ':' || c.id, 'logout', s.user_id, c.id, s.id, CAST(? AS BIGINT), CAST(? AS BIGINT)
		FROM sessions s JOIN grants g ON g.session_id = s.id AND g.user_id = s.user_id JOIN clients c ON c.id = g.client_id
		WHERE `+sessions+` AND c.disabled_at = 0 AND c.metadata LIKE '%"backchannel_logout_uri":%'
		ON CONFLICT (id) DO NOTHING`, append([]any{At(at), At(at)}, args...)...).Error
}

// LogoutNotices lists what the clients of a session were to be told from since on,
// by client; with an empty sessionID, of all sessions of the user.
func (db *DB) LogoutNotices(ctx context.Context, userID, sessionID string, since time.Time) ([]Notice, error) {
	which := noticesOf{UserID: userID, SessionID: sessionID}
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	var list []Notice
	err := db.read(ctx, "list notices", func(q *gorm.DB) error {
		return which.in(q).Where("created_at >= ?", At(since)).Order("client_id, id").Find(&list).Error
	})
	return list, err
}

// noticesOf is a part of the outbox: all of it, a user's, or a session's. Ids begin
// with the user's and the session's, so that the primary key finds them.
type noticesOf struct{ UserID, SessionID string }

func (n noticesOf) in(q *gorm.DB) *gorm.DB {
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

// ids bounds the ids of that part. A semicolon is what comes after a colon, byte by
// byte.
func (n noticesOf) ids() (after, before string) {
	begin := n.UserID
	if n.SessionID != "" {
		begin += ":" + n.SessionID
	}
	return begin + ":", begin + ";"
}

// NoticeClaim is the input of DB.ClaimNotices.
type NoticeClaim struct {
	UserID, SessionID string        // whose; "" for everybody's, or all of the user's
	Except            []string      // client ids that are left alone for now
	Limit             int           // at most so many
	Lease             time.Duration // how long nobody else gets them
}

// ClaimNotices takes notices that are due, the longest due first, for one try each.
// Of several nodes one gets a notice; if it never settles it, it is due again when
// the lease ends. Where nothing is due, nothing is written.
func (db *DB) ClaimNotices(ctx context.Context, c NoticeClaim, at time.Time) ([]Notice, error) {
	until := At(at.Add(c.Lease))
	// A lease that runs much longer was taken under a clock that was ahead; nodes differ
	// by a little always.
	impossible := At(at.Add(2 * c.Lease))
	due := func(q *gorm.DB) *gorm.DB {
		return q.Model(&Notice{}).Where(`delivered_at = 0 AND given_up_at = 0 AND due_at <= ? AND (leased_until <= ? OR leased_until > ?)`,
			At(at), At(at), impossible)
	}
	var ids []string
	err := db.read(ctx, "look for notices", func(q *gorm.DB) error {
		q = noticesOf{c.UserID, c.SessionID}.in(due(q))
		if len(c.Except) > 0 {
			q = q.Where("client_id NOT IN ?", c.Except)
		}
		return q.Order("due_at").Limit(c.Limit).Pluck("id", &ids).Error
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var claimed []Notice
	err = db.write(ctx, "claim notices", func(tx *gorm.DB) error {
		claimed = nil
		return tx.Raw(`UPDATE outbox SET tries = tries + 1, leased_until = ?
			WHERE id IN ? AND delivered_at = 0 AND given_up_at = 0 AND due_at <= ? AND (leased_until <= ? OR leased_until > ?)
			RETURNING `+engine.ColumnNames(&Notice{}), until, ids, At(at), At(at), impossible).Scan(&claimed).Error
	})
	return claimed, err
}

// NoticeResult is what one try came to.
type NoticeResult struct {
	Error   string    // a stable code; "": it was delivered
	RetryAt time.Time // when to try again after an error; zero: never
}

// SettleNotice notes what the try of a claimed notice came to. One that is not its
// caller's any more, because the lease ended and another node has taken it, is left
// alone. Event logout.delivered or, once it is given up, logout.failed.
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
		mine, err := changed(tx, `UPDATE outbox SET delivered_at = ?, given_up_at = ?, due_at = ?, leased_until = 0, last_error = ?
			WHERE id = ? AND tries = ? AND leased_until = ?`,
			delivered, givenUp, due, cleanText(r.Error, longestName), n.ID, n.Tries, n.LeasedUntil)
		if err != nil || !mine || !r.RetryAt.IsZero() {
			return err
		}
		return record(tx, event, at)
	})
}
