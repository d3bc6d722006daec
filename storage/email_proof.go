package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Voucher says on whose word an address counts as proven.
type Voucher string

const (
	ByMail      Voucher = "mail"      // a link that was mailed to the address
	ByOperator  Voucher = "operator"  // who marked it as verified
	ByAuthority Voucher = "authority" // an upstream that is authoritative for the domain
	ByUpstream  Voucher = "upstream"  // an upstream that verifies addresses of any domain
)

// keepsRoles reports whether roles and groups survive the eviction by such a proof.
func (v Voucher) keepsRoles() bool { return v != ByUpstream }

// evictsAdmins reports whether such a proof evicts an administrator. No upstream does.
func (v Voucher) evictsAdmins() bool { return v != ByUpstream && v != ByAuthority }

// AddressProof is the input of DB.ProveAddress.
type AddressProof struct {
	UserID string
	Email  string // the proven address; the user must have it still
	By     Voucher

	// SessionID names the session in which the proof was brought, "" for none. If it
	// is the user's own and the user proved who they are in it within FreshFor,
	// nothing is evicted. FreshFor 0: a session makes no difference.
	SessionID string
	FreshFor  time.Duration

	From Origin
}

// ProveAddress marks a user's address as proven. The first proof evicts: everything
// that was set up while the address was only claimed is deleted in the same
// transaction (password and other factors, identities, consents, profile, and all
// sessions and grants end), because nobody knows who set it up. A proof within the
// user's own fresh session evicts nothing. A further proof changes nothing. It
// reports whether anything was evicted. Events address.proven and user.evicted.
//
// ErrNotFound: there is no such user. ErrConflict: the user has another address
// now, or is an administrator whom an upstream would evict.
func (db *DB) ProveAddress(ctx context.Context, p AddressProof, at time.Time) (evicted bool, err error) {
	if err := refuseImpossible(p.UserID); err != nil {
		return false, fmt.Errorf("prove address: %w", err)
	}
	err = db.write(ctx, "prove address", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, p.UserID, forUpdate); err != nil {
			return err
		}
		own, err := ownSession(tx, p.UserID, sessionKey{"id", p.SessionID}, p.FreshFor, at)
		if err != nil {
			return err
		}
		evicted, err = prove(tx, p, own, at)
		return err
	})
	return evicted && err == nil, err
}

// prove is ProveAddress for a caller that holds the user's row and knows whether
// the proof was brought within the user's own fresh session.
func prove(tx *gorm.DB, p AddressProof, own bool, at time.Time) (evicted bool, err error) {
	var u User
	if err := tx.Where("id = ?", p.UserID).Take(&u).Error; err != nil {
		return false, err
	}
	canonical, err := CanonicalEmail(p.Email)
	switch {
	case err != nil, canonical != u.EmailCanonical:
		return false, ErrConflict
	case u.EmailVerified:
		return false, nil
	case u.Admin && !p.By.evictsAdmins() && !own:
		return false, ErrConflict
	}
	if !own {
		if err := evict(tx, u.ID, p.By.keepsRoles(), By{From: p.From, At: at}); err != nil {
			return false, err
		}
	}
	return !own, setProven(tx, u.ID, p.By, By{From: p.From, At: at})
}

// setProven marks a claimed address as proven. ReviseUser does the same on an
// operator's word; no other statement does.
func setProven(tx *gorm.DB, userID string, voucher Voucher, by By) error {
	_, err := changed(tx, `UPDATE users SET email_verified = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END
		WHERE id = ? AND NOT email_verified`, true, At(by.At), At(by.At), userID)
	if err != nil {
		return err
	}
	return record(tx, Event{Type: AddressProven, Outcome: Succeeded, Reason: string(voucher), UserID: userID, From: by.From}, by.At)
}

// sessionKey names a session by its id or by the hash of its handle.
type sessionKey struct{ column, value string }

// ownSession reports whether the session is the user's, lives, and saw a proof of who
// the user is within fresh.
func ownSession(tx *gorm.DB, userID string, key sessionKey, fresh time.Duration, at time.Time) (bool, error) {
	if fresh <= 0 || refuseImpossible(key.value) != nil {
		return false, nil
	}
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM sessions s WHERE s.`+key.column+` = ? AND s.user_id = ? AND s.auth_time >= ? AND ?`,
		key.value, userID, At(at.Add(-fresh)), liveSession(at)).Scan(&n).Error
	return n == 1, err
}

// evict deletes every way into an account, its consents and its profile, and ends
// all its sessions and grants, offline ones too. It is the one eviction there is.
// Groups that upstreams gave go with the identities. Without keepRoles, roles, the groups
// that an operator gave and custom attributes go as well. The caller
// holds the user's row and decides what the address counts as afterwards.
func evict(tx *gorm.DB, userID string, keepRoles bool, by By) error {
	for _, statement := range []string{
		`UPDATE users SET name = '', given_name = '', middle_name = '', family_name = '', nickname = '', preferred_username = '',
			username_folded = '', profile = '', picture = '', website = '', gender = '', birthdate = '', zoneinfo = '', locale = '',
			phone_number = '', phone_number_verified = FALSE, address = '', upstream_groups = '' WHERE id = ?`,
		`DELETE FROM credentials WHERE user_id = ?`, `DELETE FROM identities WHERE user_id = ?`, `DELETE FROM consents WHERE user_id = ?`,
	} {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return err
		}
	}
	if !keepRoles {
		if err := tx.Exec(`UPDATE users SET roles = '', groups = '', custom = '' WHERE id = ?`, userID).Error; err != nil {
			return err
		}
	}
	err := tx.Exec(`UPDATE users SET updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END WHERE id = ?`, // never the same twice
		At(by.At), At(by.At), userID).Error
	if err != nil {
		return err
	}
	if err := endAllOf(tx, userID, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: UserEvicted, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
}
