package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Portion is the largest number of rows that one use case changes in one transaction if their
// number has no limit, such as the grants of a client. Other writes run between two portions, so
// none of them waits for more than one.
const Portion = 100

// unfinished is a change of many rows. The transaction that decides it makes the first portion
// and, if rows are left, stores this row. The later portions are transactions of their own. The
// row is deleted together with the last rows, so a killed process leaves nothing half done: the
// sweep makes the other portions.
type unfinished struct {
	Kind     unfinishedKind
	UserID   string
	ClientID string
	Identity string // the key of an identity, the ID of a passkey, or skippedFactor with the ID of the session that stays
	Bound    Millis // grants that were created later stay
	At       Millis // when it was decided
}

// TableName returns the name of the table.
func (unfinished) TableName() string { return "unfinished" }

type unfinishedKind string

const (
	clientDeletion    unfinishedKind = "client"
	userDeletion      unfinishedKind = "user"
	consentWithdrawal unfinishedKind = "consent"
	identityRemoval   unfinishedKind = "identity"
)

// The conditions that a row of clients or users is not being deleted. All reads that are not
// conditions of liveness have them; for those, the row counts as disabled.
const (
	isClient = `NOT EXISTS (SELECT 1 FROM unfinished w WHERE w.kind = 'client' AND w.user_id = '' AND w.client_id = clients.id)`
	isUser   = `NOT EXISTS (SELECT 1 FROM unfinished w WHERE w.kind = 'user' AND w.user_id = users.id)`
)

// begin makes the first portion in the transaction that decides the change. If rows are left, it
// stores w. It returns the number of grants that were changed.
func (w unfinished) begin(tx *gorm.DB) (grants int64, finished bool, err error) {
	if grants, finished, err = w.portion(tx); err != nil || finished {
		return grants, finished, err
	}
	err = tx.Exec(`INSERT INTO unfinished (kind, user_id, client_id, identity, bound, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, user_id, client_id, identity) DO UPDATE SET bound = excluded.bound, at = excluded.at`,
		w.Kind, w.UserID, w.ClientID, w.Identity, w.Bound, w.At).Error
	return grants, false, err
}

// portion changes at most Portion rows and reports whether none is left.
func (w unfinished) portion(tx *gorm.DB) (grants int64, finished bool, err error) {
	switch w.Kind {
	case clientDeletion:
		return w.deletePortion(tx, "clients", "client_id", w.ClientID, []deletedRows{
			{"grants", "id"}, {"consents", "user_id, client_id"}, {"pushed_requests", "id"}, {"device_codes", "id"},
		})
	case userDeletion:
		if full, err := forgetValues(tx, w.UserID); err != nil || full {
			return 0, false, err
		}
		return w.deletePortion(tx, "users", "user_id", w.UserID, []deletedRows{
			{"grants", "id"}, {"sessions", "id"}, {"consents", "user_id, client_id"}, {"identities", "connector, issuer, subject"}, {"credentials", "id"},
		})
	case consentWithdrawal:
		return w.revokePortion(tx, "consent_withdrawn", `client_id = ?`, w.ClientID)
	case identityRemoval:
		if keep, skipped := strings.CutPrefix(w.Identity, skippedFactor); skipped {
			return w.revokePortion(tx, "trust_ended", openedWithoutFactor, keep)
		}
		reason := "unlinked"
		if strings.HasPrefix(w.Identity, credentialPrefix) {
			reason = "passkey_removed"
		}
		return w.revokePortion(tx, reason, openedByKey(w.Identity), w.Identity)
	}
	return 0, false, errors.New("unknown kind of unfinished work: " + string(w.Kind))
}

// forgetValues deletes the claims of a user from a portion of the events about them, and reports
// whether the portion was full. The events stay.
func forgetValues(tx *gorm.DB, userID string) (full bool, err error) {
	forgotten := tx.Exec(`UPDATE events SET detail = '', latest = '' WHERE id IN (
		SELECT id FROM events WHERE user_id = ? AND user_id <> '' AND type IN ? AND (detail <> '' OR latest <> '') LIMIT ?)`, userID, personalEvents, Portion)
	return forgotten.RowsAffected == Portion, forgotten.Error
}

// deletedRows are rows that are deleted together with the row to which they refer.
type deletedRows struct{ table, key string }

// deletePortion deletes rows that refer to a client or user. If none is left, it deletes the
// client or user too.
func (w unfinished) deletePortion(tx *gorm.DB, owners, column, owner string, all []deletedRows) (grants int64, finished bool, err error) {
	left := int64(Portion)
	for _, rows := range all {
		deleted := tx.Exec(`DELETE FROM `+rows.table+` WHERE (`+rows.key+`) IN (
			SELECT `+rows.key+` FROM `+rows.table+` WHERE `+column+` = ? LIMIT ?)`, owner, left)
		if deleted.Error != nil {
			return 0, false, deleted.Error
		}
		if rows.table == "grants" {
			grants = deleted.RowsAffected
		}
		if left -= deleted.RowsAffected; left <= 0 {
			return grants, false, nil
		}
	}
	if err := tx.Exec(`DELETE FROM `+owners+` WHERE id = ?`, owner).Error; err != nil {
		return 0, false, err
	}
	return grants, true, w.forget(tx)
}

// revokePortion revokes grants of the user, the newest first. The order is total, because
// PostgreSQL may run the inner SELECT for each row: it must return the same rows each time, or
// fewer than Portion grants are revoked although more are left.
func (w unfinished) revokePortion(tx *gorm.DB, reason, condition, arg string) (grants int64, finished bool, err error) {
	revoked := tx.Exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE revoked_at = 0 AND id IN (
		SELECT id FROM grants WHERE user_id = ? AND created_at <= ? AND revoked_at = 0 AND `+condition+` ORDER BY created_at DESC, id LIMIT ?)`,
		w.At, reason, w.UserID, w.Bound, arg, Portion)
	switch {
	case revoked.Error != nil:
		return 0, false, revoked.Error
	case revoked.RowsAffected == Portion:
		return Portion, false, nil
	}
	return revoked.RowsAffected, true, w.forget(tx)
}

// forget deletes the row of the change after its last portion. A revocation with the same key
// that was decided later stays.
func (w unfinished) forget(tx *gorm.DB) error {
	return tx.Exec(`DELETE FROM unfinished WHERE kind = ? AND user_id = ? AND client_id = ? AND identity = ?
		AND (kind IN ('client', 'user') OR at <= ?)`,
		w.Kind, w.UserID, w.ClientID, w.Identity, w.At).Error
}

// finish makes the remaining portions. It returns no error, because the change is decided and
// its effect complete: after an error, or if ctx ends, the sweep continues.
func (db *DB) finish(ctx context.Context, w unfinished) {
	for finished := false; !finished && ctx.Err() == nil; {
		var err error
		if finished, err = db.finishPortion(ctx, w); err != nil {
			return
		}
	}
}

func (db *DB) finishPortion(ctx context.Context, w unfinished) (finished bool, err error) {
	err = db.write(ctx, "change many rows", func(tx *gorm.DB) error {
		_, finished, err = w.portion(tx)
		return err
	})
	return finished, err
}

// SweepUnfinished makes one portion of a change that an earlier process did not finish, and
// reports whether more is left to do. See Portion.
func (db *DB) SweepUnfinished(ctx context.Context) (more bool, err error) {
	var all []unfinished
	err = db.read(ctx, "look for unfinished changes", func(q *gorm.DB) error {
		return q.Order("at, kind, user_id, client_id, identity").Limit(2).Find(&all).Error
	})
	if err != nil || len(all) == 0 {
		return false, err
	}
	finished, err := db.finishPortion(ctx, all[0])
	return err == nil && (!finished || len(all) > 1), err
}

// lastGrantOf returns the creation time of the user's newest grant, or at if that is later. A
// fast clock may have dated a grant in the future. The caller holds the lock of the user's row.
func lastGrantOf(tx *gorm.DB, userID string, at time.Time) (Millis, error) {
	var latest Millis
	err := tx.Raw(`SELECT COALESCE(MAX(created_at), 0) FROM grants WHERE user_id = ?`, userID).Scan(&latest).Error
	return max(latest, At(at)), err
}
