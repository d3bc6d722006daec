package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Voucher names the kind of proof that verified an email address.
type Voucher string

const (
	ByMail      Voucher = "mail"      // a link that was mailed to the address
	ByOperator  Voucher = "operator"  // an operator marked the address as verified
	ByAuthority Voucher = "authority" // an upstream that is authoritative for the domain
	ByUpstream  Voucher = "upstream"  // an upstream that verifies addresses of any domain
)

// keepsRoles reports whether an account keeps its roles and groups when such a proof evicts.
func (v Voucher) keepsRoles() bool { return v != ByUpstream }

// evictsAdmins reports whether such a proof may evict an administrator. Proofs by upstreams may
// not.
func (v Voucher) evictsAdmins() bool { return v != ByUpstream && v != ByAuthority }

// AddressProof is the input of DB.ProveAddress.
type AddressProof struct {
	UserID string
	Email  string // the proven address; it must still be the user's
	By     Voucher

	// SessionID is the session in which the proof was given; "": no session. If it is the user's
	// own session, and the user authenticated in it within FreshFor, nothing is evicted. If
	// FreshFor is 0, the session is ignored.
	SessionID string
	FreshFor  time.Duration

	From Origin
}

// ProveAddress marks the address of a user as verified. The first proof evicts: it deletes
// everything that was set up before, because another person may have set it up. In the same
// transaction it deletes the password and other factors, identities, consents and the profile,
// and ends all sessions and grants. A proof within the user's own fresh session evicts nothing.
// A further proof changes nothing. It reports whether it evicted anything. It records the events address.proven
// and user.evicted.
//
// ErrNotFound: there is no such user. ErrConflict: the user now has another address, or is an
// administrator and the proof comes from an upstream.
func (db *DB) ProveAddress(ctx context.Context, p AddressProof, at time.Time) (evicted bool, err error) {
	if err := refuseImpossible(p.UserID); err != nil {
		return false, fmt.Errorf("prove address: %w", err)
	}
	err = db.write(ctx, "prove address", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, p.UserID, forUpdate); err != nil {
			return err
		}
		own, err := isOwnFreshSession(tx, p.UserID, sessionKey{"id", p.SessionID}, p.FreshFor, at)
		if err != nil {
			return err
		}
		evicted, err = proveAddress(tx, p, own, at)
		return err
	})
	return evicted && err == nil, err
}

// proveAddress is ProveAddress for a caller that holds the lock of the user's row. own is
// whether the proof was given within the user's own fresh session.
func proveAddress(tx *gorm.DB, p AddressProof, own bool, at time.Time) (evicted bool, err error) {
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
	case u.AdminRole().IsAny() && !p.By.evictsAdmins() && !own:
		return false, ErrConflict
	}
	if !own {
		if err := evict(tx, u.ID, p.By.keepsRoles(), By{From: p.From, At: at}); err != nil {
			return false, err
		}
	}
	return !own, markProven(tx, u.ID, p.By, By{From: p.From, At: at})
}

// moveProvenAddress gives a user another address, to which the link of the act was mailed. The
// address is verified therefore. It evicts nothing: the caller decides what ends. It records the
// event address.proven.
//
// ErrConflict: another user has the address. *AddressReservedError.
func moveProvenAddress(tx *gorm.DB, userID, email string, by By) error {
	canonical, err := CanonicalEmail(email)
	if err != nil {
		return fmt.Errorf("%w: %w", errCheckFailed, err)
	}
	err = tx.Exec(`UPDATE users SET email = ?, email_canonical = ?, email_verified = ?,
		updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END WHERE id = ?`, email, canonical, true, At(by.At), At(by.At), userID).Error
	if err != nil {
		return err
	}
	if err := settleAddress(tx, userID, canonical, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: AddressProven, Outcome: Succeeded, Reason: string(ByMail), UserID: userID, From: by.From}, by.At)
}

// markProven marks an unverified address as verified. Apart from moveProvenAddress and from
// ReviseUser, which does so for an operator, no other function does.
func markProven(tx *gorm.DB, userID string, voucher Voucher, by By) error {
	_, err := changeOne(tx, `UPDATE users SET email_verified = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END
		WHERE id = ? AND NOT email_verified`, true, At(by.At), At(by.At), userID)
	if err != nil {
		return err
	}
	if err := endProofLinks(tx, userID); err != nil {
		return err
	}
	return record(tx, Event{Type: AddressProven, Outcome: Succeeded, Reason: string(voucher), UserID: userID, From: by.From}, by.At)
}

// endProofLinks ends the links that would prove the address of a user, because it is proven. Their
// pages announce an eviction that would not happen any more.
func endProofLinks(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM mail_links WHERE user_id = ? AND user_id <> '' AND kind = ? AND detail = '' AND used_at = 0`, userID, LinkVerify).Error
}

// sessionKey identifies a session by its ID or by the hash of its handle.
type sessionKey struct{ column, value string }

// isOwnFreshSession reports whether the session is the user's, is live, and the user
// authenticated in it within fresh.
func isOwnFreshSession(tx *gorm.DB, userID string, key sessionKey, fresh time.Duration, at time.Time) (bool, error) {
	if fresh <= 0 || refuseImpossible(key.value) != nil {
		return false, nil
	}
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM sessions s WHERE s.`+key.column+` = ? AND s.user_id = ? AND s.auth_time >= ? AND ?`,
		key.value, userID, At(at.Add(-fresh)), liveSession(at)).Scan(&n).Error
	return n == 1, err
}

// evict deletes all credentials and identities of an account, its consents and its profile, and
// ends all its sessions and grants, including offline ones. No change of the address can be undone
// afterwards: its copies are credentials from before, too. It is the only function that evicts.
// Groups from upstreams are deleted with the identities. Without keepRoles, it also deletes
// roles, custom attributes and the groups that an operator gave. The caller holds the lock of
// the user's row and decides whether the address counts as verified afterwards.
func evict(tx *gorm.DB, userID string, keepRoles bool, by By) error {
	for _, statement := range append([]string{`DELETE FROM consents WHERE user_id = ?`}, clearPerson...) {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return err
		}
	}
	if err := forgetAddressChanges(tx, userID); err != nil {
		return err
	}
	if !keepRoles {
		if err := tx.Exec(`UPDATE users SET roles = '', groups = '', custom = '' WHERE id = ?`, userID).Error; err != nil {
			return err
		}
	}
	err := tx.Exec(`UPDATE users SET updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END WHERE id = ?`, // always changes updated_at
		At(by.At), At(by.At), userID).Error
	if err != nil {
		return err
	}
	if err := endAllOfUser(tx, userID, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: UserEvicted, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
}
