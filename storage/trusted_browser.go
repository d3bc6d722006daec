package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// TrustedBrowser is a browser in which a user signs in without the second factor. The acr of such a
// sign-in is ACROneFactor. Everything that ends all sessions of the user ends the trust.
type TrustedBrowser struct {
	ID         string
	UserID     string
	DeviceHash string // of the ID of its Device
	SecretHash string // of the random value in its cookie
	Agent      string // of the sign-in in which the user trusted it
	Address    string
	CreatedAt  Millis `gorm:"autoCreateTime:false"`
	UsedAt     Millis // the last sign-in without the second factor; 0: none
	ExpiresAt  Millis
}

// MostTrustedBrowsers is the largest number of trusted browsers of one user. A further one replaces
// the oldest.
const MostTrustedBrowsers = 10

// programWithTrustedBrowsers is the number of the migration that came with trusted browsers.
const programWithTrustedBrowsers = 21

// MailBrowserTrusted tells a user that a browser is now trusted.
const MailBrowserTrusted MailKind = "browser_trusted"

// BrowserKey identifies a trusted browser: the browser must have both values. The zero value
// identifies none.
type BrowserKey struct {
	DeviceHash, SecretHash string
}

// NewTrust makes the browser of a sign-in with a second factor a trusted one.
type NewTrust struct {
	BrowserKey
	Until Millis
}

// trustLives is the condition that a trusted browser t of the user u skips the second factor. An
// user with a role of administration has no trusted browsers, nor does one who chose SetAlwaysAsk. Its
// parameter is the time.
const trustLives = `(t.expires_at > ? AND NOT ` + hasAdminRole + ` AND u.always_ask_at = 0 AND u.disabled_at = 0
	AND t.created_at > u.not_before AND t.created_at > (SELECT i.not_before FROM instance i WHERE i.id = 1))`

// skipFactor reports whether the sign-in needs no second factor because its browser is trusted. A
// sign-in that continues a session is a step-up, so it always needs the factor. The caller holds the
// lock of the user's row.
func skipFactor(tx *gorm.DB, s SignIn, at time.Time) (bool, error) {
	if refuseImpossible(s.Trusted.DeviceHash, s.Trusted.SecretHash) != nil {
		return false, nil
	}
	if s.Replaces != "" {
		var n int64
		err := tx.Raw(`SELECT COUNT(*) FROM sessions s WHERE s.handle_hash = ? AND s.user_id = ? AND ?`, s.Replaces, s.UserID, liveSession(at)).Scan(&n).Error
		if err != nil || n > 0 {
			return false, err
		}
	}
	return changeOne(tx, `UPDATE trusted_browsers AS t SET used_at = ? WHERE t.user_id = ? AND t.device_hash = ? AND t.secret_hash = ?
		AND EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id AND `+trustLives+`)`, At(at), s.UserID, s.Trusted.DeviceHash, s.Trusted.SecretHash, At(at))
}

// trustBrowser stores the trust that the user has given to the browser of the sign-in, tells the user
// and records the event browser.trusted. It stores nothing for a user who has no trusted browsers, see trustLives. notBefore is the
// moment after which the trust must begin.
func (db *DB) trustBrowser(tx *gorm.DB, s SignIn, sessionID string, notBefore Millis, at time.Time) error {
	if err := refuseImpossible(s.Trust.DeviceHash, s.Trust.SecretHash); err != nil {
		return err
	}
	if err := requireProgram(tx, programWithTrustedBrowsers); err != nil {
		return err
	}
	from, by := s.From.clean(), By{From: s.From, At: at}
	added, err := changeOne(tx, `INSERT INTO trusted_browsers (id, user_id, device_hash, secret_hash, agent, address, created_at, expires_at)
		SELECT CAST(? AS TEXT), u.id, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT)
			FROM users u WHERE u.id = ? AND NOT `+hasAdminRole+` AND u.always_ask_at = 0
		ON CONFLICT (user_id, device_hash) DO UPDATE SET secret_hash = excluded.secret_hash, agent = excluded.agent, address = excluded.address,
			created_at = excluded.created_at, used_at = 0, expires_at = excluded.expires_at`,
		NewID("trb_"), s.Trust.DeviceHash, s.Trust.SecretHash, from.Agent, from.Address, max(At(at), notBefore+1), s.Trust.Until, s.UserID)
	if err != nil || !added {
		return err
	}
	err = tx.Exec(`DELETE FROM trusted_browsers WHERE user_id = ? AND device_hash <> ? AND id NOT IN (
		SELECT id FROM trusted_browsers WHERE user_id = ? AND device_hash <> ? ORDER BY created_at DESC, id LIMIT ?)`,
		s.UserID, s.Trust.DeviceHash, s.UserID, s.Trust.DeviceHash, MostTrustedBrowsers-1).Error
	if err != nil {
		return err
	}
	if err := db.notify(tx, MailDraft{Kind: MailBrowserTrusted, UserID: s.UserID, ClientID: s.ClientID, Facts: MailFacts{Until: s.Trust.Until}}, by); err != nil {
		return err
	}
	return record(tx, Event{
		Type: BrowserTrusted, Outcome: Succeeded, UserID: s.UserID, ClientID: s.ClientID, SessionID: sessionID, From: s.From,
		Detail: map[string]any{"until": s.Trust.Until},
	}, at)
}

// TrustedBrowsersOf lists the browsers in which the user is not asked for the second factor, the
// last trusted first.
func (db *DB) TrustedBrowsersOf(ctx context.Context, userID string, at time.Time) ([]TrustedBrowser, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list trusted browsers: %w", err)
	}
	var list []TrustedBrowser
	err := db.read(ctx, "list trusted browsers", func(q *gorm.DB) error {
		return q.Raw(`SELECT t.* FROM trusted_browsers t JOIN users u ON u.id = t.user_id WHERE t.user_id = ? AND `+trustLives+` ORDER BY t.created_at DESC, t.id`,
			userID, At(at)).Scan(&list).Error
	})
	return list, err
}

// EndTrust makes a browser one that is not trusted. It ends all sessions of the user, except keep, that
// began without the second factor, and all grants of those sessions, online and offline: they may be of
// that browser. It records the events browser.trust_ended and session.ended.
//
// ErrNotFound: the user trusts no such browser.
func (db *DB) EndTrust(ctx context.Context, userID, id, keep string, by By) error {
	if err := refuseImpossible(userID, id, keep); err != nil {
		return fmt.Errorf("end trust: %w", err)
	}
	var w unfinished
	finished := false
	err := db.write(ctx, "end trust", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		ended, err := changeOne(tx, `DELETE FROM trusted_browsers WHERE id = ? AND user_id = ?`, id, userID)
		if err != nil {
			return err
		}
		if !ended {
			return ErrNotFound
		}
		if w, finished, err = endSkippedSessions(tx, userID, keep, "trust_ended", by); err != nil {
			return err
		}
		return record(tx, Event{Type: BrowserTrustEnded, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}

// endTrusts deletes all trusted browsers of a user.
func endTrusts(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM trusted_browsers WHERE user_id = ?`, userID).Error
}

// endTrustBeforeAdmin deletes the trusted browsers of a user who becomes an administrator, and ends the
// sessions that began in them without the second factor, with their grants. If there are many grants,
// the periodic job revokes the rest.
func endTrustBeforeAdmin(tx *gorm.DB, userID string, by By) error {
	if err := endTrusts(tx, userID); err != nil {
		return err
	}
	_, _, err := endSkippedSessions(tx, userID, "", "promoted", by)
	return err
}

// skippedFactor begins unfinished.Identity for the grants of sessions that began without the second
// factor. No key of an identity and no ID of a passkey begins with it.
const skippedFactor = "skipped factor "

// openedWithoutFactor is the condition that such a session opened a grant. Its parameter is the ID of
// a session that stays.
const openedWithoutFactor = `session_id IN (SELECT s.id FROM sessions s WHERE s.user_id = grants.user_id AND s.factor_skipped AND s.id <> ?)`

// endSkippedSessions ends the sessions of a user, except keep, that began without the second factor, and
// all their grants. w are the grants that are left, unless it is finished. The caller holds the lock of
// the user's row.
func endSkippedSessions(tx *gorm.DB, userID, keep, reason string, by By) (w unfinished, finished bool, err error) {
	var list []string
	err = tx.Raw(`SELECT id FROM sessions WHERE user_id = ? AND id <> ? AND ended_at = 0 AND factor_skipped ORDER BY id`, userID, keep).Scan(&list).Error
	if err != nil {
		return w, false, err
	}
	for _, id := range list {
		if err := endSession(tx, userID, id, reason, by); err != nil {
			return w, false, err
		}
	}
	// Grants come after the sessions because of the order of locks.
	w = unfinished{Kind: identityRemoval, UserID: userID, Identity: skippedFactor + keep, At: At(by.At)}
	if w.Bound, err = lastGrantOf(tx, userID, by.At); err != nil {
		return w, false, err
	}
	_, finished, err = w.begin(tx)
	return w, finished, err
}

// errTrustWithoutFactor is the mistake of a caller.
var errTrustWithoutFactor = errors.New("start session: only a sign-in with a second factor can trust its browser")
