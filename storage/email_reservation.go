package storage

import (
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrAddressReserved is what each AddressReservedError wraps.
var ErrAddressReserved = engine.NewVerdict("the email address is reserved")

// AddressReservedError: the address was that of another user, who can still restore it. Until
// then nobody else gets it: an attacker who changed the address of an account could otherwise
// block the way back by an account with the former address.
type AddressReservedError struct {
	Email  string
	UserID string // the user who can restore the address
	Until  Millis
}

// Error returns a fixed text: the log gets it, and must not contain an address.
func (e *AddressReservedError) Error() string { return ErrAddressReserved.Error() }

// Unwrap returns ErrAddressReserved.
func (e *AddressReservedError) Unwrap() error { return ErrAddressReserved }

// settleAddress runs after a statement that gave an address to a user, in the same transaction. Every
// such transaction runs it. It refuses a reserved address, and ends the links that create an account
// with the address: otherwise such a link would work again when the address is free.
//
// *AddressReservedError.
func settleAddress(tx *gorm.DB, userID, canonical string, at time.Time) error {
	if err := refuseReserved(tx, userID, canonical, at); err != nil || canonical == "" {
		return err
	}
	// A link that another transaction is spending now is left to it: that transaction waits for the
	// address, and fails. To wait for it in turn would be a deadlock.
	links := `SELECT id FROM mail_links WHERE kind IN (?, ?) AND holder = ? AND used_at = 0`
	if tx.Dialector.Name() == "postgres" {
		links += ` FOR UPDATE SKIP LOCKED`
	}
	return tx.Exec(`DELETE FROM mail_links WHERE kind IN (?, ?) AND holder = ? AND id IN (`+links+`)`,
		LinkSignUp, LinkInvitation, canonical, LinkSignUp, LinkInvitation, canonical).Error
}

// refuseReserved is the part of settleAddress that refuses an address. It runs after that statement, not before: if another
// transaction is changing the former address, the unique index makes the statement wait for it,
// and its reservation is visible only then.
//
// *AddressReservedError.
func refuseReserved(tx *gorm.DB, userID, canonical string, at time.Time) error {
	c, err := reservation(tx, userID, canonical, at)
	if err != nil || c.ID == "" {
		return err
	}
	return &AddressReservedError{Email: c.Email, UserID: c.UserID, Until: c.ExpiresAt}
}

// reservation returns the change by which the address is reserved for a user other than this
// one; the zero value if there is none.
func reservation(tx *gorm.DB, userID, canonical string, at time.Time) (addressChange, error) {
	if canonical == "" {
		return addressChange{}, nil
	}
	var found []addressChange
	err := tx.Where("email_canonical = ? AND user_id <> ? AND expires_at > ?", canonical, userID, At(at)).Order("expires_at DESC").Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return addressChange{}, err
	}
	return found[0], nil
}

// addressHolder is the reason why a user cannot get an address. The zero value: the address is free.
type addressHolder struct {
	Email    string // as it is stored
	UserID   string // the user who has it, enabled or not; "": none
	Reserved bool   // nobody has it, but a user can restore it
}

// holderOf returns who has the address, apart from the user userID. It runs the same statements for
// every address, because a stranger may have named it.
func holderOf(tx *gorm.DB, userID, canonical string, at time.Time) (addressHolder, error) {
	var found []User
	err := tx.Where("email_canonical = ? AND email_canonical <> '' AND id <> ? AND "+isUser, canonical, userID).Limit(1).Find(&found).Error
	if err != nil {
		return addressHolder{}, err
	}
	c, err := reservation(tx, userID, canonical, at)
	if len(found) == 1 {
		return addressHolder{Email: found[0].Email, UserID: found[0].ID}, err
	}
	return addressHolder{Email: c.Email, Reserved: c.ID != ""}, err
}
