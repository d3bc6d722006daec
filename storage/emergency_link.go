package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// EmergencyLink is a one-time link for the case that every administrator has lost access. Only
// the command line creates one.
type EmergencyLink struct {
	ID        string
	UserID    string // the administrator who gets a new password; "": the link creates a new administrator
	HostUser  string // the operating system user who created the link
	OpenedAt  Millis
	ExpiresAt Millis
	UsedAt    Millis // 0: not used
	UsedBy    string // the user who got access
	Email     string // address of that user, or else of the one who gets a new password
}

// closeEmergencyLinks makes all open links invalid. Their rows stay as notices.
const closeEmergencyLinks = `UPDATE emergency_links SET hash = '' WHERE hash <> ''`

// keepEmergencyLinks is how long the rows stay. Events are kept as long.
const keepEmergencyLinks = 400 * sweepDay

// EmergencyOpening is the input of DB.OpenEmergencyLink.
type EmergencyOpening struct {
	Hash     string // hash of the link's token
	UserID   string // the administrator who gets a new password; "": a new administrator is created
	HostUser string
	Until    time.Time
}

// OpenEmergencyLink allows a link to give an administrator access until o.Until. Every earlier
// link becomes invalid, so there is at most one. It records the event setup.break_glass_opened.
//
// ErrConflict: there never was an administrator, so setup is open; see OpenSetup. ErrNotFound:
// the user is no administrator, or is disabled.
func (db *DB) OpenEmergencyLink(ctx context.Context, o EmergencyOpening, by By) error {
	if err := refuseImpossible(o.Hash); err != nil {
		return fmt.Errorf("open emergency link: %w", err)
	}
	return db.write(ctx, "open emergency link", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		var firstTime, isAdmin int64
		if err := tx.Raw(`SELECT COUNT(*) FROM instance i WHERE `+setupOpen, "").Scan(&firstTime).Error; err != nil {
			return err
		}
		if firstTime > 0 {
			return ErrConflict
		}
		if err := tx.Raw(`SELECT COUNT(*) FROM users WHERE id = ? AND admin AND disabled_at = 0`, o.UserID).Scan(&isAdmin).Error; err != nil {
			return err
		}
		if o.UserID != "" && isAdmin == 0 {
			return ErrNotFound
		}
		if err := tx.Exec(closeEmergencyLinks).Error; err != nil {
			return err
		}
		if err := tx.Exec(`DELETE FROM emergency_links WHERE opened_at < ?`, At(by.At.Add(-keepEmergencyLinks))).Error; err != nil {
			return err
		}
		if err := tx.Exec(`INSERT INTO emergency_links (id, hash, user_id, host_user, opened_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
			NewID("eml_"), o.Hash, o.UserID, cleanText(o.HostUser, longestName), At(by.At), At(o.Until)).Error; err != nil {
			return err
		}
		return record(tx, Event{
			Type: BreakGlassOpened, Outcome: Succeeded, UserID: o.UserID, From: by.From,
			Detail: map[string]any{"host_user": cleanText(o.HostUser, longestName)},
		}, by.At)
	})
}

// The user of a notice is the one who used the link, or else the one for whom it was created.
const selectEmergencyLinks = `SELECT l.id, l.user_id, l.host_user, l.opened_at, l.expires_at, l.used_at, l.used_by, COALESCE(u.email, '') AS email
	FROM emergency_links l LEFT JOIN users u ON u.id = CASE WHEN l.used_by <> '' THEN l.used_by ELSE l.user_id END `

// OpenLink reads an emergency link that can still be used. ErrNotFound: it is used, replaced,
// expired or unknown, or its user is no administrator any more.
func (db *DB) OpenLink(ctx context.Context, hash string, at time.Time) (EmergencyLink, error) {
	if refuseImpossible(hash) != nil {
		return EmergencyLink{}, ErrNotFound
	}
	var found []EmergencyLink
	err := db.read(ctx, "read emergency link", func(q *gorm.DB) error {
		return q.Raw(selectEmergencyLinks+`WHERE l.hash = ? AND l.expires_at > ? AND (l.user_id = '' OR u.admin AND u.disabled_at = 0)`,
			hash, At(at)).Scan(&found).Error
	})
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return EmergencyLink{}, err
	}
	return found[0], nil
}

// EmergencyLinks lists the links that were created after since, the newest first, at most limit.
func (db *DB) EmergencyLinks(ctx context.Context, since time.Time, limit int) ([]EmergencyLink, error) {
	var list []EmergencyLink
	err := db.read(ctx, "list emergency links", func(q *gorm.DB) error {
		return q.Raw(selectEmergencyLinks+`WHERE l.opened_at > ? ORDER BY l.opened_at DESC, l.id LIMIT ?`, At(since), limit).Scan(&list).Error
	})
	return list, err
}

// CreateEmergencyAdmin uses a link to create a new administrator. The other administrators do
// not change. If several visitors try, one of them succeeds. It records the events user.created,
// setup.break_glass_used.
//
// ErrNotFound: the link is used, expired or unknown. ErrConflict: the email address is taken; the
// link stays valid.
func (db *DB) CreateEmergencyAdmin(ctx context.Context, linkHash string, u User, passwordHash string, by By) (User, error) {
	if err := refuseImpossible(linkHash); err != nil {
		return User{}, fmt.Errorf("create emergency administrator: %w", err)
	}
	u.Admin = true
	u, err := newUser(u, by.At)
	if err != nil {
		return User{}, fmt.Errorf("create emergency administrator: %w", err)
	}
	err = db.write(ctx, "create emergency administrator", func(tx *gorm.DB) error {
		if err := db.insertUser(tx, u, passwordHash, "", by); err != nil {
			return err
		}
		return useEmergencyLink(tx, linkHash, "", u.ID, by)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// useEmergencyLink spends the link for the given user and records that.
func useEmergencyLink(tx *gorm.DB, hash, forUser, usedBy string, by By) error {
	won, err := changeOne(tx, `UPDATE emergency_links SET hash = '', used_at = ?, used_by = ? WHERE hash = ? AND user_id = ? AND expires_at > ?`,
		At(by.At), usedBy, hash, forUser, At(by.At))
	if err != nil {
		return err
	}
	if !won {
		return ErrNotFound
	}
	return record(tx, Event{Type: BreakGlassUsed, Outcome: Succeeded, UserID: usedBy, From: by.From}, by.At)
}

// EmergencyReset is the input of DB.ResetEmergencyPassword.
type EmergencyReset struct {
	LinkHash   string
	UserID     string   // the administrator for whom the link was created
	Hash       string   // of the new password
	Connectors []string // the connectors through which people can sign in now
}

// ResetEmergencyPassword uses a link to set the password of its administrator. All sessions and
// grants of the administrator end. Identities stay: only the administrator can tell which of them
// are wrong. It returns the changed user. It records the events password.changed,
// session.ended_all, setup.break_glass_used.
//
// ErrNotFound: the link is used, expired, unknown or another user's, or the user is no enabled
// administrator any more.
func (db *DB) ResetEmergencyPassword(ctx context.Context, r EmergencyReset, by By) (User, error) {
	if err := refuseImpossible(r.LinkHash, r.UserID); err != nil {
		return User{}, fmt.Errorf("reset emergency password: %w", err)
	}
	if r.Hash == "" {
		return User{}, errors.New("reset emergency password: the hash is empty")
	}
	var u User
	err := db.write(ctx, "reset emergency password", func(tx *gorm.DB) (err error) {
		if u, err = db.lockUser(tx, r.UserID); err != nil {
			return err
		}
		if !u.Admin || u.DisabledAt != 0 {
			return ErrNotFound
		}
		if err := useEmergencyLink(tx, r.LinkHash, u.ID, u.ID, by); err != nil {
			return err
		}
		if err := db.replacePassword(tx, replacement{UserID: u.ID, Hash: r.Hash, Reason: "break_glass", Connectors: r.Connectors}, by); err != nil {
			return err
		}
		return tx.Where("id = ?", u.ID).Take(&u).Error
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}
