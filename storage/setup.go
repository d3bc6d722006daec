package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// setupOpen is the condition under which the first administrator may be made; its
// parameter is the user who is about to be. The users are asked too: a program of
// the release before makes administrators and knows nothing of set-up.
const setupOpen = `i.id = 1 AND i.setup_closed_at = 0 AND NOT EXISTS (` + otherAdmins + `)`

// otherAdmins finds the administrators but for one; the bound on the id makes it a
// search of their index.
const otherAdmins = `SELECT 1 FROM users WHERE admin AND id > '' AND id <> ?`

// OpenSetup lets the first administrator be made by a link, given by the hash of
// its token, until the moment until. Links from before stay good: each node that
// starts has its own. Event setup.opened.
//
// ErrConflict: there is an administrator, or was one; set-up is closed for ever.
func (db *DB) OpenSetup(ctx context.Context, linkHash string, until time.Time, by By) error {
	if err := refuseImpossible(linkHash); err != nil {
		return fmt.Errorf("open set-up: %w", err)
	}
	return db.write(ctx, "open set-up", func(tx *gorm.DB) error {
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

// IsSetupOpen reports whether a link still makes the first administrator.
func (db *DB) IsSetupOpen(ctx context.Context, linkHash string, at time.Time) (bool, error) {
	if refuseImpossible(linkHash) != nil {
		return false, nil
	}
	var n int64
	err := db.read(ctx, "read set-up", func(q *gorm.DB) error {
		return q.Raw(`SELECT COUNT(*) FROM setup_links l, instance i
			WHERE `+setupOpen+` AND l.hash = ? AND l.expires_at > ?`, "", linkHash, At(at)).Scan(&n).Error
	})
	return n > 0, err
}

// CompleteSetup makes the first administrator by a link and closes set-up for
// ever. Of several visitors one wins. Events user.created, setup.completed.
//
// ErrNotFound: the link is used, expired or none. ErrConflict: the e-mail is
// taken; set-up stays open.
func (db *DB) CompleteSetup(ctx context.Context, linkHash string, u User, passwordHash string, by By) (User, error) {
	if err := refuseImpossible(linkHash); err != nil {
		return User{}, fmt.Errorf("complete set-up: %w", err)
	}
	u.Admin = true
	u, err := newUser(u, by.At)
	if err != nil {
		return User{}, fmt.Errorf("complete set-up: %w", err)
	}
	err = db.write(ctx, "complete set-up", func(tx *gorm.DB) error {
		if err := insertUser(tx, u, passwordHash, by); err != nil {
			return err
		}
		won, err := changed(tx, `UPDATE instance AS i SET setup_closed_at = ? WHERE `+setupOpen+`
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

// closeSetup belongs to every transaction that makes an administrator.
func closeSetup(tx *gorm.DB, at time.Time) error {
	if err := tx.Exec(`UPDATE instance SET setup_closed_at = ? WHERE id = 1 AND setup_closed_at = 0`, At(at)).Error; err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM setup_links WHERE hash <> ''`).Error
}
