package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// setupOpen is the condition that the first administrator may be created. Its parameter is the
// ID of that new user. It also checks the users, because the previous release creates
// administrators without closing setup.
const setupOpen = `i.id = 1 AND i.setup_closed_at = 0 AND NOT EXISTS (` + otherAdmins + `)`

// otherAdmins finds the administrators except one user. The condition on the ID makes the
// database search the index of administrators.
const otherAdmins = `SELECT 1 FROM users WHERE admin AND id > '' AND id <> ?`

// OpenSetup allows a link to create the first administrator until the moment until. linkHash is
// the hash of the link's token. Earlier links stay valid, because each node creates its own at
// start. It records the event setup.opened.
//
// ErrConflict: an administrator exists or existed; setup is closed for good.
func (db *DB) OpenSetup(ctx context.Context, linkHash string, until time.Time, by By) error {
	if err := refuseImpossible(linkHash); err != nil {
		return fmt.Errorf("open setup: %w", err)
	}
	return db.write(ctx, "open setup", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		var open int64
		if err := tx.Raw(`SELECT COUNT(*) FROM instance i WHERE `+setupOpen, "").Scan(&open).Error; err != nil {
			return err
		}
		if open == 0 {
			return ErrConflict
		}
		if err := tx.Exec(`DELETE FROM setup_links WHERE expires_at <= ?`, At(by.At)).Error; err != nil {
			return err
		}
		if err := tx.Exec(`INSERT INTO setup_links (hash, expires_at) VALUES (?, ?)`, linkHash, At(until)).Error; err != nil {
			return err
		}
		return record(tx, Event{Type: SetupOpened, Outcome: Succeeded, From: by.From}, by.At)
	})
}

// IsSetupOpen reports whether a link can still create the first administrator.
func (db *DB) IsSetupOpen(ctx context.Context, linkHash string, at time.Time) (bool, error) {
	if refuseImpossible(linkHash) != nil {
		return false, nil
	}
	var n int64
	err := db.read(ctx, "read setup", func(q *gorm.DB) error {
		return q.Raw(`SELECT COUNT(*) FROM setup_links l, instance i
			WHERE `+setupOpen+` AND l.hash = ? AND l.expires_at > ?`, "", linkHash, At(at)).Scan(&n).Error
	})
	return n > 0, err
}

// CompleteSetup uses a link to create the first administrator, and closes setup for good. If
// several visitors try, one of them succeeds. It records the events user.created, setup.completed.
//
// ErrNotFound: the link is used, expired or unknown. ErrConflict: the email address is taken;
// setup stays open.
func (db *DB) CompleteSetup(ctx context.Context, linkHash string, u User, passwordHash string, by By) (User, error) {
	if err := refuseImpossible(linkHash); err != nil {
		return User{}, fmt.Errorf("complete setup: %w", err)
	}
	u.Admin = true
	u, err := newUser(u, by.At)
	if err != nil {
		return User{}, fmt.Errorf("complete setup: %w", err)
	}
	err = db.write(ctx, "complete setup", func(tx *gorm.DB) error {
		if err := db.insertUser(tx, u, passwordHash, "", by); err != nil {
			return err
		}
		won, err := changeOne(tx, `UPDATE instance AS i SET setup_closed_at = ? WHERE `+setupOpen+`
			AND EXISTS (SELECT 1 FROM setup_links WHERE hash = ? AND expires_at > ?)`, At(by.At), u.ID, linkHash, At(by.At))
		if err != nil {
			return err
		}
		if !won {
			return ErrNotFound
		}
		if err := closeSetup(tx, by.At); err != nil {
			return err
		}
		return record(tx, Event{Type: SetupCompleted, Outcome: Succeeded, UserID: u.ID, From: by.From}, by.At)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// closeSetup closes setup. Every transaction that creates an administrator calls it.
func closeSetup(tx *gorm.DB, at time.Time) error {
	if err := tx.Exec(`UPDATE instance SET setup_closed_at = ? WHERE id = 1 AND setup_closed_at = 0`, At(at)).Error; err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM setup_links WHERE hash <> ''`).Error
}
