package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// The details of a LinkVerify that changes the address of its user, and does not prove the address
// that the user has. With the second one, the change cannot be undone.
const (
	detailChange      = "change"
	detailFinalChange = "final change"
)

// ChangesAddress reports whether the link changes the address of its user. If not, it proves the
// address that the user has.
func (l MailLink) ChangesAddress() bool {
	return l.Kind == LinkVerify && (l.Detail == detailChange || l.Detail == detailFinalChange)
}

// ChangesFinally reports whether it does so without an undo, see AddressRequest.Final.
func (l MailLink) ChangesFinally() bool { return l.Kind == LinkVerify && l.Detail == detailFinalChange }

// programWithAddressChanges is the number of the migration that came with changes of addresses.
const programWithAddressChanges = 16

// requireAddressChanges keeps programs from opening the database that do not refuse a reserved
// address: the undo would fail because another user has it. It locks the instance row.
func requireAddressChanges(tx *gorm.DB) error {
	return requireProgram(tx, programWithAddressChanges)
}

// maxAddressChanges is the largest number of changes of a user that can be undone. Each has copies
// of the credentials and identities.
const maxAddressChanges = 10

// RequestAddressChange writes a mail with a link to a new address of a user. The address counts
// only after ChangeAddress. If another account has the address, also a disabled one, its user gets a
// mail that says so, without a link. If another user can still restore the address, the mail says
// that. The caller cannot tell these cases apart, nor can a reader of the events. Every request ends an
// older link. It records the event address.change_requested.
//
// ErrConflict: it is the user's own address. ErrRevoked: the session has ended, or is another
// user's. ErrNotFresh, also for r.Final in a session with one factor. *ThrottledError: a limit is exceeded, or the address was changed too often.
func (db *DB) RequestAddressChange(ctx context.Context, r AddressRequest, at time.Time) error {
	canonical, err := r.check()
	if err != nil {
		return fmt.Errorf("request address change: %w", err)
	}
	return db.write(ctx, "request address change", func(tx *gorm.DB) error {
		if _, err := countAttempts(tx, r.Limits, at); err != nil {
			return err
		}
		u, err := db.lockFreshlySignedIn(tx, r.UserID, r.SessionID, r.FreshFor, at)
		if err != nil {
			return err
		}
		if canonical == u.EmailCanonical {
			return ErrConflict
		}
		if r.Final {
			strong, err := hasTwoFactors(tx, r.SessionID)
			if err != nil {
				return err
			}
			if !strong {
				return ErrNotFresh
			}
		}
		if err := refuseManyChanges(tx, u.ID, at); err != nil {
			return err
		}
		mail, err := changeMail(tx, u, r, canonical, at)
		if err != nil {
			return err
		}
		if err := queueMail(tx, mail, at); err != nil {
			return err
		}
		return record(tx, Event{Type: AddressChangeRequested, Outcome: Succeeded, UserID: u.ID, SessionID: r.SessionID, From: r.From}, at)
	})
}

// changeMail returns the mail of RequestAddressChange.
func changeMail(tx *gorm.DB, u User, r AddressRequest, canonical string, at time.Time) (MailDraft, error) {
	holder, err := holderOf(tx, u.ID, canonical, at)
	if err != nil {
		return MailDraft{}, err
	}
	// The link to a taken address is in no mail and opens nothing. It is written nevertheless: it
	// ends the older one, and the answer takes as long as for a free address.
	detail := detailChange
	if r.Final {
		detail = detailFinalChange
	}
	link, err := issueLink(tx, LinkDraft{Kind: LinkVerify, Holder: u.ID, UserID: u.ID, Address: r.Email, Detail: detail}, at)
	if err != nil {
		return MailDraft{}, err
	}
	mail := MailDraft{Facts: factsOf(u.ID, By{From: r.From, At: at})}
	switch {
	case holder.UserID != "":
		mail.Kind, mail.UserID, mail.Recipient = MailAddressTaken, holder.UserID, holder.Email
	case holder.Reserved:
		mail.Kind, mail.Recipient = MailAddressReserved, holder.Email
	default:
		mail.Kind, mail.UserID, mail.Recipient, mail.Link = MailAddressChange, u.ID, link.Address, link.Ref()
	}
	return mail, nil
}

// refuseManyChanges returns *ThrottledError if the user has maxAddressChanges.
func refuseManyChanges(tx *gorm.DB, userID string, at time.Time) error {
	var ends []Millis
	err := tx.Raw(`SELECT expires_at FROM address_changes WHERE user_id = ? AND expires_at > ? ORDER BY expires_at`, userID, At(at)).Scan(&ends).Error
	if err != nil || len(ends) < maxAddressChanges {
		return err
	}
	return &ThrottledError{RetryAfter: ends[0].Time().Sub(at)}
}

// addressChange is a change of an address that can be undone.
type addressChange struct {
	ID             string
	UserID         string
	Email          string // the former address, which was verified
	EmailCanonical string
	ChangedAt      Millis // later than that of an earlier change of the user
	ExpiresAt      Millis
	AlwaysAskAt    Millis // of the user before the change
}

// TableName returns the name of the table.
func (addressChange) TableName() string { return "address_changes" }

// AddressChange is the input of DB.ChangeAddress.
type AddressChange struct {
	Link      LinkRef // of kind LinkVerify
	UserID    string  // of the row of the link
	SessionID string  // the user's own session, in this browser
	Handle    string  // hash of the browser's new session handle
	FreshFor  time.Duration
	From      Origin
}

// ChangeAddress spends a mailed link and gives its user the address to which it was mailed, as a
// verified one. All other sessions and all grants end, including offline grants, and all pending
// links of the user except those of UndoAddressChange. The browser gets a new session with the
// facts of the old one.
//
// If the former address was verified, it gets a mail with a link that undoes the change. Until
// that link expires, the address is reserved for this user. If the link of the change is final and
// the session has two factors, the mail has no link, and nothing is reserved.
//
// The link works only in a session of its user. Otherwise a person could make another person
// prove the address of an account that stays open to the first one. It records the events
// address.changed, address.proven and session.ended.
//
// *DeadLinkError: the link cannot be used, or does not change an address. ErrConflict,
// ErrAddressReserved: meanwhile another user has the address, or can restore it. ErrRevoked: the
// session has ended, or is another user's. ErrNotFresh.
func (db *DB) ChangeAddress(ctx context.Context, c AddressChange, at time.Time) (session Session, err error) {
	if err := refuseImpossible(c.UserID, c.SessionID, c.Handle); err != nil {
		return Session{}, fmt.Errorf("change address: %w", err)
	}
	ended, by := &DeadLinkError{c.Link.Kind, "link_ended"}, By{From: c.From, At: at}
	if c.Link.Kind != LinkVerify {
		return Session{}, ended
	}
	err = db.write(ctx, "change address", func(tx *gorm.DB) error {
		before, err := db.lockFreshlySignedIn(tx, c.UserID, c.SessionID, c.FreshFor, at)
		if err != nil {
			return err
		}
		if err := requireAddressChanges(tx); err != nil {
			return err
		}
		l, err := spendLink(tx, c.Link, at)
		if err != nil {
			return err
		}
		if l.UserID != before.ID || l.Printed || !l.ChangesAddress() {
			return ended
		}
		if err := moveProvenAddress(tx, before.ID, l.Address, by); err != nil {
			return err
		}
		if session, err = renewAfterEnding(tx, renewal{before.ID, c.SessionID, c.Handle, "email_changed"}, by); err != nil {
			return err
		}
		if l.ChangesFinally() && ACRReaches(session.ACR, ACRTwoFactors) {
			err = db.notifyFormer(tx, before, by)
		} else {
			err = db.makeUndoable(tx, before, by)
		}
		if err != nil {
			return err
		}
		return record(tx, Event{
			Type: AddressChanged, Outcome: Succeeded, UserID: before.ID, SessionID: session.ID, From: c.From, Detail: before.movedTo(l.Address),
		}, at)
	})
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

// hasTwoFactors reports whether the user signed in to the session with two factors.
func hasTwoFactors(tx *gorm.DB, sessionID string) (bool, error) {
	var acr string
	err := tx.Raw(`SELECT acr FROM sessions WHERE id = ?`, sessionID).Scan(&acr).Error
	return ACRReaches(acr, ACRTwoFactors), err
}

// makeUndoable keeps what the undo of a change restores, and offers it to the former address.
func (db *DB) makeUndoable(tx *gorm.DB, before User, by By) error {
	change, err := copyWays(tx, before, by.At)
	if err != nil {
		return err
	}
	return db.offerUndo(tx, change, by)
}

// copyWays makes the change of the user's address one that can be undone: it stores the former
// address with copies of the credentials and identities. It returns the zero value, and stores
// nothing, if the former address was not verified: a person who only claimed an address must not
// get the account by it.
//
// The copies of identities have no token of the upstream. The next sign-in brings another one.
func copyWays(tx *gorm.DB, before User, at time.Time) (addressChange, error) {
	if !before.EmailVerified || before.EmailCanonical == "" {
		return addressChange{}, nil
	}
	var latest Millis
	if err := tx.Raw(`SELECT COALESCE(MAX(changed_at), 0) FROM address_changes WHERE user_id = ?`, before.ID).Scan(&latest).Error; err != nil {
		return addressChange{}, err
	}
	c := addressChange{
		ID: NewID("chg_"), UserID: before.ID, Email: before.Email, EmailCanonical: before.EmailCanonical,
		ChangedAt: max(At(at), latest+1), ExpiresAt: At(at).Add(LinkUndo.Life()), AlwaysAskAt: before.AlwaysAskAt,
	}
	row := c
	if err := tx.Create(&row).Error; err != nil {
		return addressChange{}, err
	}
	for _, w := range ways {
		err := tx.Exec(`INSERT INTO `+w.copies+` (change_id, `+w.columns+`) SELECT CAST(? AS TEXT), `+w.columns+` FROM `+w.table+` WHERE user_id = ?`, c.ID, before.ID).Error
		if err != nil {
			return addressChange{}, err
		}
	}
	return c, dropCopiedTokens(tx, c)
}

// ways are the tables of the ways to sign in, with the tables of their copies. Both have the same
// columns, the copies also change_id.
var ways = []struct{ table, copies, columns string }{
	{"credentials", "former_credentials", "id, user_id, kind, name, secret, handle, detail, number, proven_at, used_at, created_at, updated_at, rp_id"},
	{"identities", "former_identities", "connector, issuer, subject, user_id, email, name, detail, groups, used_at, created_at"},
}

// dropCopiedFactors deletes the copies of all factors of a user except the password, so that no
// undo brings them back, nor the choice of SetAlwaysAsk.
func dropCopiedFactors(tx *gorm.DB, userID string) error {
	if err := tx.Exec(`UPDATE address_changes SET always_ask_at = 0 WHERE user_id = ? AND always_ask_at <> 0`, userID).Error; err != nil {
		return err
	}
	return changeCopies(tx, userID, `DELETE FROM former_credentials WHERE kind <> 'password'`)
}

// dropCopiedCode deletes the copies of a used recovery code, so that no undo makes it valid again.
func dropCopiedCode(tx *gorm.DB, userID string, hash []byte) error {
	return changeCopies(tx, userID, `DELETE FROM former_credentials WHERE kind = 'recovery' AND secret = ?`, hash)
}

// raiseCopies raises the number of the copies of a credential: the last step of an authenticator app,
// or the counter of a passkey. So no undo makes a used code valid again.
func raiseCopies(tx *gorm.DB, userID, id string, number int64) error {
	return changeCopies(tx, userID, `UPDATE former_credentials SET number = ? WHERE id = ? AND number < ?`, number, id, number)
}

// changeCopies runs a statement, which ends with a condition, for the copies of a user's credentials.
func changeCopies(tx *gorm.DB, userID, statement string, args ...any) error {
	var changes []string
	err := tx.Raw(`SELECT id FROM address_changes WHERE user_id = ?`, userID).Scan(&changes).Error
	if err != nil || len(changes) == 0 {
		return err
	}
	return tx.Exec(statement+` AND change_id IN ?`, append(args, changes)...).Error
}

// dropCopiedTokens deletes the tokens of upstreams from the copies of identities.
func dropCopiedTokens(tx *gorm.DB, c addressChange) error {
	var list []Identity
	if err := tx.Table("former_identities").Where(`change_id = ? AND detail LIKE '%"token":%'`, c.ID).Find(&list).Error; err != nil {
		return err
	}
	for _, i := range list {
		i.Detail.Token = nil
		text, err := engine.JSONText(i.Detail)
		if err != nil {
			return err
		}
		err = tx.Exec(`UPDATE former_identities SET detail = ? WHERE change_id = ? AND connector = ? AND issuer = ? AND subject = ?`,
			text, c.ID, i.Connector, i.Issuer, i.Subject).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// offerUndo mails a link that undoes the change to the former address. It does nothing if the
// change cannot be undone.
func (db *DB) offerUndo(tx *gorm.DB, c addressChange, by By) error {
	if c.ID == "" || !db.mails {
		return nil
	}
	link, err := issueLink(tx, LinkDraft{Kind: LinkUndo, Holder: c.ID, UserID: c.UserID, Address: c.Email}, by.At)
	if err != nil {
		return err
	}
	return queueMail(tx, MailDraft{Kind: MailAddressChanged, Recipient: c.Email, UserID: c.UserID, Link: link.Ref(), Facts: factsOf(c.UserID, by)}, by.At)
}

// notifyFormer tells the former address of a user, if it was verified, that it was changed for good.
// The mail has no link: another person may get the mails of the former address now.
func (db *DB) notifyFormer(tx *gorm.DB, before User, by By) error {
	if !before.EmailVerified || !db.mails {
		return nil
	}
	return queueMail(tx, MailDraft{Kind: MailAddressChanged, Recipient: before.Email, UserID: before.ID, Facts: factsOf(before.ID, by)}, by.At)
}

// forgetFormerIdentity deletes the copies of an identity, so that no undo restores it.
func forgetFormerIdentity(tx *gorm.DB, i Identity) error {
	var changes []string
	err := tx.Raw(`SELECT id FROM address_changes WHERE user_id = ?`, i.UserID).Scan(&changes).Error
	if err != nil || len(changes) == 0 {
		return err
	}
	return tx.Exec(`DELETE FROM former_identities WHERE change_id IN ? AND connector = ? AND issuer = ? AND subject = ?`,
		changes, i.Connector, i.Issuer, i.Subject).Error
}

// forgetAddressChanges makes all changes of the user's address final.
func forgetAddressChanges(tx *gorm.DB, userID string) error {
	if err := tx.Exec(`DELETE FROM mail_links WHERE kind = ? AND user_id = ?`, LinkUndo, userID).Error; err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM address_changes WHERE user_id = ?`, userID).Error
}
