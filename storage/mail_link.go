package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// LinkKind is the purpose of a one-time link. A link opens nothing of another kind.
type LinkKind string

// The kinds of links. Rows and links keep them, so they never change.
const (
	LinkReset      LinkKind = "reset"      // sets a new password
	LinkVerify     LinkKind = "verify"     // proves an address of an account
	LinkSignUp     LinkKind = "signup"     // proves an address and creates its account
	LinkInvitation LinkKind = "invitation" // creates an account that an operator offers
	LinkUndo       LinkKind = "undo"       // restores the former address of an account
	LinkEnrol      LinkKind = "enrol"      // lets a user add the first factor
	LinkPasskey    LinkKind = "passkey"    // adds a passkey; only operators hand it over
)

// linkLives lists the kinds with the time after which a link expires.
var linkLives = map[LinkKind]time.Duration{
	LinkReset: 30 * time.Minute, LinkVerify: 24 * time.Hour, LinkSignUp: 24 * time.Hour,
	LinkInvitation: 7 * 24 * time.Hour, LinkUndo: 7 * 24 * time.Hour, LinkEnrol: 30 * time.Minute, LinkPasskey: 30 * time.Minute,
}

// LongestLinkLife is the longest life of a link. The secrets that seal links must live as long.
const LongestLinkLife = 7 * 24 * time.Hour

// Life returns the time after which a link of the kind expires.
func (k LinkKind) Life() time.Duration { return linkLives[k] }

// LinkRef names a link. It is no secret: the link itself is a sealed message with this content.
type LinkRef struct {
	Kind   LinkKind `json:"k"`
	Holder string   `json:"h"` // the account or the address that the link is for
	ID     string   `json:"i"` // random

	// Printed: an operator got this link, to hand it over. It proves no address, because it was
	// not mailed to one. A mailed link of the same row may exist too; the row can be used once.
	Printed bool `json:"p,omitempty"`
}

// MailLink is the row of a link.
type MailLink struct {
	Kind      LinkKind
	Holder    string // there is one link for each kind and holder
	ID        string
	UserID    string // "": there is no account yet
	Address   string // the email address that the link was sent to, as entered
	Detail    string // what the act of the link needs, in a form of its own
	CreatedAt Millis `gorm:"autoCreateTime:false"`
	ExpiresAt Millis
	UsedAt    Millis
	Printed   bool `gorm:"-"` // of the LinkRef by which the row was read
}

// TableName returns the name of the table.
func (MailLink) TableName() string { return "mail_links" }

// Ref returns the name of the link.
func (l MailLink) Ref() LinkRef {
	return LinkRef{Kind: l.Kind, Holder: l.Holder, ID: l.ID, Printed: l.Printed}
}

// by returns the link as read by a name.
func (l MailLink) by(r LinkRef) MailLink {
	l.Printed = r.Printed
	return l
}

// LinkDraft is a link to issue.
type LinkDraft struct {
	Kind LinkKind
	// Holder: a newer link of the same kind and holder replaces the older one. Use the user's ID,
	// or the canonical address if there is no account, or the ID of the act if several links
	// must be valid at once.
	Holder  string
	UserID  string
	Address string
	Detail  string
	// Decoy: the row is that of no link. It replaces none, and has no address, user and detail. It
	// is for requests by strangers, who must not learn from the time of the answer whether a link is
	// mailed: it takes the same statements as a link. UserID may be of no user.
	Decoy bool
}

// DeadLinkError: the link cannot be used, and nothing was changed.
type DeadLinkError struct {
	Kind LinkKind
	// Code is link_used, link_replaced (by a newer one), link_expired, link_ended (everything of
	// the user or the instance ended after it was made, or the user is disabled or deleted), or
	// link_address_taken (it creates an account, and its address has one now).
	Code string
}

// ErrLinkDead is what each DeadLinkError wraps.
var ErrLinkDead = engine.NewVerdict("the link cannot be used")

// Error contains the code.
func (e *DeadLinkError) Error() string { return ErrLinkDead.Error() + ": " + e.Code }

// Unwrap returns ErrLinkDead.
func (e *DeadLinkError) Unwrap() error { return ErrLinkDead }

// Cause returns the stable code.
func (e *DeadLinkError) Cause() string { return e.Code }

// issueLink writes a link in the transaction of the act that sends it. The older link of the
// kind and holder becomes invalid.
//
// ErrNotFound: the user is disabled or deleted.
func issueLink(tx *gorm.DB, d LinkDraft, at time.Time) (MailLink, error) {
	life := d.Kind.Life()
	if life == 0 {
		return MailLink{}, fmt.Errorf("issue link: unknown kind %q", d.Kind)
	}
	userID := d.UserID
	if d.Decoy {
		d = LinkDraft{Kind: d.Kind, Holder: NewID(""), Decoy: true}
	}
	if err := refuseImpossible(d.Holder); err != nil {
		return MailLink{}, fmt.Errorf("issue link: %w", err)
	}
	var ended Millis
	if err := tx.Raw(`SELECT not_before FROM instance WHERE id = 1`).Scan(&ended).Error; err != nil {
		return MailLink{}, err
	}
	if userID != "" {
		ofUser, err := requireEnabled(tx, userID)
		if errors.Is(err, ErrRevoked) {
			err = ErrNotFound
		}
		if d.Decoy && errors.Is(err, ErrNotFound) {
			err = nil
		}
		if err != nil {
			return MailLink{}, fmt.Errorf("issue link: %w", err)
		}
		ended = max(ended, ofUser)
	}
	l := MailLink{
		Kind: d.Kind, Holder: d.Holder, ID: NewID(""), UserID: d.UserID, Address: cleanText(TrimEmail(d.Address), longestName), Detail: d.Detail,
		// If this clock is behind the one that moved not_before, the link must be later nevertheless.
		CreatedAt: max(At(at), ended+1), ExpiresAt: At(at).Add(life),
	}
	return l, tx.Exec(`INSERT INTO mail_links (kind, holder, id, user_id, address, detail, created_at, expires_at, used_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
		ON CONFLICT (kind, holder) DO UPDATE SET id = excluded.id, user_id = excluded.user_id, address = excluded.address,
			detail = excluded.detail, created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = 0`,
		l.Kind, l.Holder, l.ID, l.UserID, l.Address, l.Detail, l.CreatedAt, l.ExpiresAt).Error
}

// IssueLink writes a link that is not mailed: an operator passes it on. The older link of the
// kind and holder becomes invalid.
//
// ErrNotFound: the user is disabled or deleted.
func (db *DB) IssueLink(ctx context.Context, d LinkDraft, at time.Time) (l MailLink, err error) {
	err = db.write(ctx, "issue link", func(tx *gorm.DB) error {
		l, err = issueLink(tx, d, at)
		return err
	})
	if err != nil {
		return MailLink{}, err
	}
	return l, nil
}

// liveLink is the condition that the link of the parameters kind, holder and ID can be used at
// the moment of the last parameter. A link does not survive the end of everything of the
// instance, nor of its user. Only an undo link survives the latter: otherwise a person who took
// over the account could make it invalid by signing out everywhere.
const liveLink = unspentLink + `
	AND (user_id = '' OR EXISTS (SELECT 1 FROM users u WHERE u.id = mail_links.user_id AND u.disabled_at = 0
		AND (mail_links.kind = 'undo' OR u.not_before < mail_links.created_at)))`

// mailableLink is liveLink for the mail with the link. An undo link is also mailed to a disabled user:
// the user may be enabled again before it expires, and the address gets no second one.
const mailableLink = unspentLink + `
	AND (user_id = '' OR EXISTS (SELECT 1 FROM users u WHERE u.id = mail_links.user_id
		AND (mail_links.kind = 'undo' OR u.disabled_at = 0 AND u.not_before < mail_links.created_at)))`

const unspentLink = `kind = ? AND holder = ? AND id = ? AND used_at = 0 AND expires_at > ?
	AND created_at > (SELECT i.not_before FROM instance i WHERE i.id = 1)`

func (r LinkRef) liveAt(at time.Time) []any { return []any{r.Kind, r.Holder, r.ID, At(at)} }

// OpenMailLink reads a link that can be used now, and changes nothing. *DeadLinkError.
func (db *DB) OpenMailLink(ctx context.Context, r LinkRef, at time.Time) (MailLink, error) {
	return db.readLink(ctx, r, liveLink, at)
}

// LinkToMail is OpenMailLink for the mail that brings the link. It also reads the undo link of a
// disabled user.
func (db *DB) LinkToMail(ctx context.Context, r LinkRef, at time.Time) (MailLink, error) {
	return db.readLink(ctx, r, mailableLink, at)
}

func (db *DB) readLink(ctx context.Context, r LinkRef, condition string, at time.Time) (MailLink, error) {
	if refuseImpossible(string(r.Kind), r.Holder, r.ID) != nil {
		return MailLink{}, &DeadLinkError{r.Kind, "link_replaced"}
	}
	var l MailLink
	err := db.read(ctx, "read link", func(q *gorm.DB) error {
		var found []MailLink
		if err := q.Where(condition, r.liveAt(at)...).Limit(1).Find(&found).Error; err != nil {
			return err
		}
		if len(found) == 0 {
			return deadLink(q, r, at)
		}
		l = found[0].by(r)
		return nil
	})
	if err != nil {
		return MailLink{}, err
	}
	return l, nil
}

// spendLink uses up a link in the transaction of its act. Of all callers on all nodes, one
// succeeds. The caller holds the lock of the user's row, if the link has a user. If the act
// fails, its transaction is rolled back and the link stays valid.
//
// *DeadLinkError.
func spendLink(tx *gorm.DB, r LinkRef, at time.Time) (MailLink, error) {
	if refuseImpossible(string(r.Kind), r.Holder, r.ID) != nil {
		return MailLink{}, &DeadLinkError{r.Kind, "link_replaced"}
	}
	var spent []MailLink
	err := tx.Raw(`UPDATE mail_links SET used_at = ? WHERE `+liveLink+` RETURNING `+engine.ColumnNames(&MailLink{}),
		append([]any{At(at)}, r.liveAt(at)...)...).Scan(&spent).Error
	if err != nil {
		return MailLink{}, err
	}
	if len(spent) == 0 {
		return MailLink{}, deadLink(tx, r, at)
	}
	return spent[0].by(r), nil
}

// deadLink returns the error for a link that cannot be used.
func deadLink(q *gorm.DB, r LinkRef, at time.Time) error {
	var found []MailLink
	if err := q.Where("kind = ? AND holder = ?", r.Kind, r.Holder).Limit(1).Find(&found).Error; err != nil {
		return err
	}
	code := "link_ended"
	switch {
	case len(found) == 0 && (r.Kind == LinkSignUp || r.Kind == LinkInvitation): // settleAddress may have ended it
		holder, err := holderOf(q, "", r.Holder, at)
		if err != nil {
			return err
		}
		if holder.UserID != "" {
			code = "link_address_taken"
		}
	case len(found) == 0:
	case found[0].ID != r.ID:
		code = "link_replaced"
	case found[0].UsedAt != 0:
		code = "link_used"
	case found[0].ExpiresAt <= At(at):
		code = "link_expired"
	}
	return &DeadLinkError{r.Kind, code}
}

// endLinks makes all links of a user invalid, also undo links.
func endLinks(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM mail_links WHERE user_id = ? AND user_id <> ''`, userID).Error
}

// endLinksIn makes the open links of a user invalid that let a person into the account: those that
// operators handed over, and those that were mailed.
func endLinksIn(tx *gorm.DB, userID string) error {
	return tx.Exec(`DELETE FROM mail_links WHERE user_id = ? AND user_id <> '' AND used_at = 0 AND kind IN ?`,
		userID, []LinkKind{LinkReset, LinkPasskey, LinkEnrol}).Error
}
