package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// MailKind names the text of a mail.
type MailKind string

// The kinds of mails. Rows keep them, so they never change.
const (
	MailPasswordChanged MailKind = "password_changed"
	MailNewBrowser      MailKind = "new_browser" // a sign-in from a browser in which the user had not signed in before
	MailIdentityLinked  MailKind = "identity_linked"
	MailIdentityRemoved MailKind = "identity_removed"
	MailPasskeyAdded    MailKind = "passkey_added"
	MailPasskeyMade     MailKind = "passkey_made" // by a browser, without being asked
	MailPasskeyRemoved  MailKind = "passkey_removed"
	MailAccountDisabled MailKind = "account_disabled"
	MailAccountEnabled  MailKind = "account_enabled"
	MailPasswordReset   MailKind = "password_reset"   // with a link for a new password
	MailNoPassword      MailKind = "no_password"      // a new password was asked for, but the user signs in through an upstream
	MailSignUp          MailKind = "sign_up"          // with a link that creates an account
	MailHasAccount      MailKind = "has_account"      // an account was asked for, but the address has one
	MailAddressProof    MailKind = "address_proof"    // with a link that proves the address of an account
	MailAddressChange   MailKind = "address_change"   // to a new address, with a link that proves it
	MailAddressTaken    MailKind = "address_taken"    // an account was to get this address, but it has one
	MailAddressReserved MailKind = "address_reserved" // an account was to get this address, but another one can still restore it
	MailAddressChanged  MailKind = "address_changed"  // to the former address; with a link that undoes the change, unless an operator made it
	MailAddressRestored MailKind = "address_restored" // to an address that an account no longer has, because the former one undid the change
	MailInvitation      MailKind = "invitation"       // with a link that creates an account
	MailInvitationUsed  MailKind = "invitation_used"  // the user invited a person, who has created the account
	MailEnrolment       MailKind = "enrolment"        // with a link that lets the user add the first factor
)

// MailKinds lists all kinds of mails.
var MailKinds = []MailKind{MailPasswordChanged, MailNewBrowser, MailIdentityLinked, MailIdentityRemoved, MailPasskeyAdded, MailPasskeyMade, MailPasskeyRemoved, MailAccountDisabled, MailAccountEnabled, MailPasswordReset, MailNoPassword, MailSignUp, MailHasAccount,
	MailAddressProof, MailAddressChange, MailAddressTaken, MailAddressReserved, MailAddressChanged, MailAddressRestored, MailInvitation, MailInvitationUsed, MailEnrolment,
	MailFactorAdded, MailFactorRemoved, MailFactorsReset, MailRecoveryCodesReplaced, MailRecoveryCodeUsed, MailBrowserTrusted, MailAlwaysAskOn, MailAlwaysAskOff, MailPasswordLink, MailPasskeyLink}

// Mail is a row of the outbox: a mail to one person. It has no body and no link: both are made
// when the mail is sent, so a copy of the database cannot be used to open a link. The row stays
// afterwards and records the result.
type Mail struct {
	ID        string
	UserID    string      // "": the recipient has no account, or nobody may learn whether
	ClientID  string      // the application that the mail names; "": none
	Recipient string      // the address as it was entered
	Message   MailMessage `gorm:"serializer:signet_json"`

	Tries       int64  // attempts that have begun
	DueAt       Millis // when the next attempt is due
	LeasedUntil Millis // a node is sending it until then
	DeliveredAt Millis // when the mail server accepted it
	GivenUpAt   Millis
	LastError   string // a stable code; "": the last attempt succeeded, or there was none
	CreatedAt   Millis `gorm:"autoCreateTime:false"`
}

// TableName returns the name of the table, which also holds logout notices.
func (Mail) TableName() string { return "outbox" }

// MailMessage is the part of a mail from which its text is made.
type MailMessage struct {
	Kind     MailKind  `json:"kind"`
	Language string    `json:"language,omitempty"` // BCP 47; "": that of the user's profile
	Link     LinkRef   `json:"link,omitzero"`      // the one-time link of the mail; zero: none
	Facts    MailFacts `json:"facts"`
}

// MailFacts describe the act that a mail tells of. An empty field is not in the text.
type MailFacts struct {
	At        Millis `json:"at"`
	Address   string `json:"address,omitempty"` // network address of the act
	Agent     string `json:"agent,omitempty"`   // User-Agent of the act
	Connector string `json:"connector,omitempty"`
	Identity  string `json:"identity,omitempty"`   // email address of an upstream identity
	Name      string `json:"name,omitempty"`       // of a passkey
	Operator  bool   `json:"operator,omitempty"`   // an operator acted, not the user
	Invited   string `json:"invited,omitempty"`    // address of a person whom the user invited
	Factor    string `json:"factor,omitempty"`     // kind of a factor
	CodesLeft *int64 `json:"codes_left,omitempty"` // recovery codes
	Until     Millis `json:"until,omitempty"`      // the end of the trust in a browser

	PasskeysRemoved bool `json:"passkeys_removed,omitempty"` // unproven ones, with the old password
	AsksPasskey     bool `json:"asks_passkey,omitempty"`     // from now on, at each sign-in
}

// MailDraft is a mail to write. See Mail for its fields.
type MailDraft struct {
	Kind      MailKind
	Recipient string
	UserID    string
	ClientID  string
	Language  string
	Link      LinkRef
	Facts     MailFacts
}

// factsOf returns the facts of an act in the account of a user. Those of an operator's browser
// are not for the user.
func factsOf(userID string, by By) MailFacts {
	from := by.From.clean()
	if from.Actor != "" && from.Actor != userID {
		return MailFacts{At: At(by.At), Operator: true}
	}
	return MailFacts{At: At(by.At), Address: from.Address, Agent: from.Agent}
}

// queueMail writes a mail in the transaction of the act that it tells of.
func queueMail(tx *gorm.DB, d MailDraft, at time.Time) error { return queueMailIf(tx, d, true, at) }

// queueMailIf is queueMail if write is true. If not, it runs the same statement and writes nothing.
func queueMailIf(tx *gorm.DB, d MailDraft, write bool, at time.Time) error {
	message, err := d.message()
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO outbox (id, kind, user_id, client_id, recipient, message, due_at, created_at)
		SELECT CAST(? AS TEXT), 'mail', CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT)
		WHERE CAST(? AS BOOLEAN)`,
		newMailID(at), d.UserID, d.ClientID, cleanText(TrimEmail(d.Recipient), longestName), message, At(at), At(at), write).Error
}

// notify writes a mail about an act to its user, in the transaction of the act, if this instance
// sends mails and the address of the user is verified. A person could otherwise send mails to
// any address by acts in an account that names it.
func (db *DB) notify(tx *gorm.DB, d MailDraft, by By) error { return db.notifyIf(tx, d, by, `TRUE`) }

// notifyIf is notify with a further condition, which refers to the user as u.
func (db *DB) notifyIf(tx *gorm.DB, d MailDraft, by By, condition string) error {
	if !db.mails {
		return nil
	}
	act := factsOf(d.UserID, by)
	d.Facts.At, d.Facts.Address, d.Facts.Agent, d.Facts.Operator = act.At, act.Address, act.Agent, act.Operator
	message, err := d.message()
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO outbox (id, kind, user_id, client_id, recipient, message, due_at, created_at)
		SELECT CAST(? AS TEXT), 'mail', u.id, CAST(? AS TEXT), u.email, CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT)
		FROM users u WHERE u.id = ? AND u.email <> '' AND u.email_verified AND `+condition,
		newMailID(by.At), d.ClientID, message, At(by.At), At(by.At), d.UserID).Error
}

func newMailID(at time.Time) string { return "mail_" + NewTimedID(at) }

func (d MailDraft) message() (string, error) {
	text, err := engine.JSONText(MailMessage{Kind: d.Kind, Language: d.Language, Link: d.Link, Facts: d.Facts})
	if err != nil {
		return "", fmt.Errorf("encode mail: %w", err)
	}
	return text, nil
}

// MailRequest is the input of DB.RequestMail.
type MailRequest struct {
	Limits []Limit    // reserved for every request, also if no mail is sent
	Link   *LinkDraft // the link of the mail; nil: none
	Mail   *MailDraft // nil: no mail is sent, and the caller must not learn that
}

// RequestMail counts a request for a mail that a stranger can make, and writes the link and the
// mail, in one transaction. The link replaces an older one of the same kind and
// holder. The number of transactions does not depend on whether a mail is sent.
//
// *ThrottledError: a limit is exceeded.
func (db *DB) RequestMail(ctx context.Context, r MailRequest, at time.Time) error {
	if err := checkLimitKeys(r.Limits); err != nil {
		return fmt.Errorf("request mail: %w", err)
	}
	return db.write(ctx, "request mail", func(tx *gorm.DB) error {
		if _, err := countAttempts(tx, r.Limits, at); err != nil || r.Mail == nil {
			return err
		}
		draft := *r.Mail
		if r.Link != nil {
			link, err := issueLink(tx, *r.Link, at)
			if err != nil {
				return err
			}
			draft.Link = link.Ref()
		}
		return queueMail(tx, draft, at)
	})
}

// MailLife is the time after which a mail is not sent any more.
const MailLife = 24 * time.Hour

// MailClaim is the input of DB.ClaimMails.
type MailClaim struct {
	// Kinds are claimed, others are left to another node: a newer release, which runs beside this
	// one during an update, may write kinds that this release has no text for. nil: all kinds.
	Kinds []MailKind
	// DueBefore selects those that were due before a moment. Zero: all that are due.
	DueBefore time.Time
	Limit     int           // the largest number of mails
	Lease     time.Duration // how long no other node gets them
}

// ClaimMails takes mails that are due for one attempt each, the longest due first. Each mail
// goes to one node only. If that node does not settle it, it is due again when the lease ends.
// If no mail is due, nothing is written.
func (db *DB) ClaimMails(ctx context.Context, c MailClaim, at time.Time) (claimed []Mail, err error) {
	due := outboxClaim{step: "mails", kind: "mail", limit: c.Limit, lease: c.Lease, more: func(q *gorm.DB) *gorm.DB {
		if !c.DueBefore.IsZero() {
			q = q.Where("due_at < ?", At(c.DueBefore))
		}
		if c.Kinds == nil {
			return q
		}
		var kinds []string
		var starts []any
		for _, k := range c.Kinds {
			kinds, starts = append(kinds, "message LIKE ?"), append(starts, `{"kind":"`+string(k)+`",%`) // MailMessage begins with its kind
		}
		return q.Where("("+strings.Join(kinds, " OR ")+")", starts...)
	}}
	err = db.claimDue(ctx, due, at, func(tx *gorm.DB) *gorm.DB { claimed = nil; return tx.Scan(&claimed) }, engine.ColumnNames(&Mail{}))
	slices.SortFunc(claimed, func(a, b Mail) int { return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), strings.Compare(a.ID, b.ID)) })
	return claimed, err
}

// MailResult is the result of one attempt to send a claimed mail.
type MailResult struct {
	Mail     Mail
	Error    string    // a stable code; "": the mail server accepted the mail
	RetryAt  time.Time // when to try again after an error; zero: never
	NotTried bool      // the attempt did not take place and does not count
	Needless bool      // nobody needs the mail any more: its row is deleted, without an event
}

// SettleMails records the results of attempts with claimed mails, in one transaction. A mail
// whose lease has ended and that another node has taken is left alone. It records the event
// mail.failed when a mail is given up.
func (db *DB) SettleMails(ctx context.Context, results []MailResult, at time.Time) error {
	if len(results) == 0 {
		return nil
	}
	return db.write(ctx, "settle mails", func(tx *gorm.DB) error {
		var failed []Event
		for _, r := range results {
			if r.Needless {
				if err := dropMail(tx, r.Mail); err != nil {
					return err
				}
				continue
			}
			givenUp, err := settleMail(tx, r, at)
			if err != nil {
				return err
			}
			if givenUp {
				failed = append(failed, Event{
					Type: MailFailed, Outcome: Refused, Reason: r.Error, UserID: r.Mail.UserID, ClientID: r.Mail.ClientID, At: At(at),
					Detail: map[string]any{"mail": r.Mail.ID, "kind": string(r.Mail.Message.Kind), "tries": r.Mail.Tries},
				})
			}
		}
		failed, err := sortByMergeKey(failed)
		if err != nil {
			return err
		}
		for _, e := range failed {
			if err := record(tx, e, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// giveUpMails gives up all mails that are not delivered. An older copy of the database does not
// know whether they were delivered since.
func giveUpMails(tx *gorm.DB, code string, at time.Time) error {
	err := tx.Exec(`UPDATE outbox SET given_up_at = ?, leased_until = 0, last_error = ? WHERE kind = 'mail' AND delivered_at = 0 AND given_up_at = 0`, At(at), code).Error
	if err != nil {
		return fmt.Errorf("give up mails: %w", err)
	}
	return nil
}

// claimedMail is the condition that a mail is still claimed as it was read.
const claimedMail = `id = ? AND kind = 'mail' AND tries = ? AND leased_until = ?`

// dropMail deletes a claimed mail.
func dropMail(tx *gorm.DB, m Mail) error {
	return tx.Exec(`DELETE FROM outbox WHERE `+claimedMail, m.ID, m.Tries, m.LeasedUntil).Error
}

// settleMail stores one result and reports whether the mail is given up.
func settleMail(tx *gorm.DB, r MailResult, at time.Time) (givenUp bool, err error) {
	delivered, gaveUp, due, tries := At(at), Millis(0), r.Mail.DueAt, r.Mail.Tries
	switch {
	case r.NotTried:
		delivered, tries = 0, tries-1
	case r.Error != "" && r.RetryAt.IsZero():
		delivered, gaveUp = 0, At(at)
	case r.Error != "":
		delivered, due = 0, At(r.RetryAt)
	}
	if r.NotTried {
		r.Error = r.Mail.LastError
	}
	stillClaimed, err := changeOne(tx, `UPDATE outbox SET delivered_at = ?, given_up_at = ?, due_at = ?, tries = ?, leased_until = 0, last_error = ?
		WHERE `+claimedMail,
		delivered, gaveUp, due, tries, cleanText(r.Error, longestName), r.Mail.ID, r.Mail.Tries, r.Mail.LeasedUntil)
	return stillClaimed && gaveUp != 0, err
}

// MailFilter selects mails.
type MailFilter struct {
	Failed bool   // only those that are given up, or that failed and wait for another try
	ID     string // only this one; "": all
	Before string // only mails older than the one with this ID, the last of the previous page; "": all
}

// Mails lists the mails of the outbox, the newest first, at most limit. Delivered mails are kept
// for 7 days, and those that were given up for 30.
func (db *DB) Mails(ctx context.Context, f MailFilter, limit int) (list []Mail, err error) {
	err = db.read(ctx, "list mails", func(q *gorm.DB) error {
		q = q.Where("kind = 'mail' AND id >= 'mail_' AND id < 'mail`'")
		if f.Failed {
			q = q.Where("delivered_at = 0 AND last_error <> ''")
		}
		if f.ID != "" {
			q = q.Where("id = ?", f.ID)
		}
		if f.Before != "" {
			q = q.Where("id < ?", f.Before)
		}
		return q.Order("id DESC").Limit(limit).Find(&list).Error
	})
	return list, err
}

// RetryMails makes mails due at once that were given up or wait for another try, as if they were
// new. It returns their number. It leaves alone mails that are delivered or that a node is
// sending. If ids is empty, it is for those that were given up, at most SweepBatch of them. It
// records the event mail.retried.
func (db *DB) RetryMails(ctx context.Context, ids []string, by By) (retried int64, err error) {
	err = db.write(ctx, "retry mails", func(tx *gorm.DB) error {
		which := gorm.Expr(`id IN (SELECT id FROM outbox WHERE kind = 'mail' AND given_up_at <> 0 AND given_up_at > 0 ORDER BY given_up_at LIMIT ?)`, SweepBatch)
		if len(ids) > 0 {
			which = gorm.Expr(`id IN ?`, ids)
		}
		changed := tx.Exec(`UPDATE outbox SET given_up_at = 0, due_at = ?, created_at = ?, tries = 0, last_error = '', leased_until = 0
			WHERE kind = 'mail' AND delivered_at = 0 AND leased_until <= ? AND ?`, At(by.At), At(by.At), At(by.At), which)
		if changed.Error != nil || changed.RowsAffected == 0 {
			return changed.Error
		}
		retried = changed.RowsAffected
		return record(tx, Event{Type: MailRetried, Outcome: Succeeded, From: by.From, Detail: map[string]any{"mails": retried}}, by.At)
	})
	return retried, err
}

// State returns what becomes of the mail.
func (m Mail) State() MailState {
	switch {
	case m.DeliveredAt != 0:
		return MailDelivered
	case m.GivenUpAt != 0:
		return MailGivenUp
	case m.LastError != "":
		return MailRetrying
	}
	return MailWaiting
}

// MailState is the state of a mail.
type MailState string

// The states of a mail.
const (
	MailWaiting   MailState = "waiting"
	MailRetrying  MailState = "retrying"  // the last try failed; it is sent again later
	MailDelivered MailState = "delivered" // the mail server accepted it
	MailGivenUp   MailState = "given_up"
)
