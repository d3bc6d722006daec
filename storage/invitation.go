package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"signet/storage/engine"
)

// Invitation is what an operator decided about an account before it exists. The row of the link
// keeps it, so that no request can change it.
type Invitation struct {
	Name          string   `json:"name,omitempty"` // suggested; the invited person can change it
	Roles         []string `json:"roles,omitempty"`
	Groups        []string `json:"groups,omitempty"`
	Admin         bool     `json:"admin,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"` // an operator vouches for the address
	ClientID      string   `json:"client_id,omitempty"`      // the application to which the person goes on; "": none
	InvitedBy     string   `json:"invited_by,omitempty"`     // ID of an operator: a user, or a client that calls the administration API; "": the command line
}

// InvitationDraft is the input of DB.Invite.
type InvitationDraft struct {
	Email string
	Invitation
	Mail   bool              // also mail the link to the address
	Checks []InvitationCheck // of the invitation that this one replaces
}

// InvitationCheck refuses the end of an open invitation, such as for a caller who may not give what it
// gives. Its error is returned, and nothing is changed.
type InvitationCheck func(Invitation) error

func checkInvitation(i Invitation, checks []InvitationCheck) error {
	for _, check := range checks {
		if err := check(i); err != nil {
			return fmt.Errorf("%w: %w", errCheckFailed, err)
		}
	}
	return nil
}

// Invite makes a one-time link with which the owner of an address creates an account, and returns
// it for an operator, who may hand it over. With d.Mail it is mailed too. Both work, but only one
// of them once. Only the mailed one proves the address. A newer invitation of an address replaces
// the older one. It records the event invitation.created, and invitation.revoked for an open one that
// it replaces.
//
// foreign.ErrEmail. ErrConflict: the address has an account. *AddressReservedError: another user can
// still restore it. ErrNotFound: there is no such client. The error of a check.
func (db *DB) Invite(ctx context.Context, d InvitationDraft, by By) (l MailLink, err error) {
	canonical, err := CanonicalEmail(d.Email)
	if err == nil {
		err = refuseImpossible(canonical)
	}
	if err != nil {
		return MailLink{}, fmt.Errorf("invite: %w", err)
	}
	d.InvitedBy = ""
	if actor := by.From.Actor; actor != ActorCLI && actor != ActorSystem {
		d.InvitedBy = actor
	}
	detail, err := engine.JSONText(d.Invitation)
	if err != nil {
		return MailLink{}, fmt.Errorf("encode invitation: %w", err)
	}
	err = db.write(ctx, "invite", func(tx *gorm.DB) error {
		var known int64
		if err := tx.Raw(`SELECT COUNT(*) FROM users WHERE email_canonical = ? AND email_canonical <> ''`, canonical).Scan(&known).Error; err != nil {
			return err
		}
		if known > 0 {
			return ErrConflict
		}
		if err := refuseReserved(tx, "", canonical, by.At); err != nil {
			return err
		}
		if d.ClientID != "" {
			if err := checkExists(tx, &Client{}, isClient, d.ClientID); err != nil {
				return err
			}
		}
		if err := db.endReplacedInvitation(tx, canonical, d.Checks, by); err != nil {
			return err
		}
		if l, err = issueLink(tx, LinkDraft{Kind: LinkInvitation, Holder: canonical, Address: d.Email, Detail: detail}, by.At); err != nil {
			return err
		}
		if d.Mail {
			mail := MailDraft{Kind: MailInvitation, Recipient: d.Email, ClientID: d.ClientID, Link: l.Ref(), Facts: MailFacts{At: At(by.At), Operator: true}}
			if err := queueMail(tx, mail, by.At); err != nil {
				return err
			}
		}
		l.Printed = true
		return recordInvitation(tx, InvitationCreated, "", l, "", d.Invitation, by)
	})
	if err != nil {
		return MailLink{}, err
	}
	return l, nil
}

// endReplacedInvitation checks the open invitation of an address, if there is one, and records its end.
func (db *DB) endReplacedInvitation(tx *gorm.DB, canonical string, checks []InvitationCheck, by By) error {
	open, err := db.openInvitation(tx, canonical, by.At)
	if err != nil || len(open) == 0 {
		return err
	}
	return endInvitation(tx, open[0], "replaced", checks, by)
}

// checkNewAddress checks the open invitation of an address for which an account is created: with the
// account, the invitation cannot be used.
func (db *DB) checkNewAddress(tx *gorm.DB, canonical string, checks []InvitationCheck, at time.Time) error {
	if canonical == "" || len(checks) == 0 {
		return nil
	}
	open, err := db.openInvitation(tx, canonical, at)
	if err != nil || len(open) == 0 {
		return err
	}
	i, err := open[0].Invitation()
	if err != nil {
		return err
	}
	return checkInvitation(i, checks)
}

// openInvitation returns the open invitation of an address, if there is one. The lock of the instance
// orders the invitations: otherwise one that was made at the same time could escape the checks.
func (db *DB) openInvitation(tx *gorm.DB, canonical string, at time.Time) (open []MailLink, err error) {
	if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
		return nil, err
	}
	err = tx.Where("kind = ? AND holder = ? AND used_at = 0 AND expires_at > ?", LinkInvitation, canonical, At(at)).Limit(1).Find(&open).Error
	return open, err
}

// endInvitation checks an invitation that ends, and records the event invitation.revoked.
func endInvitation(tx *gorm.DB, l MailLink, reason string, checks []InvitationCheck, by By) error {
	i, err := l.Invitation()
	if err != nil {
		return err
	}
	if err := checkInvitation(i, checks); err != nil {
		return err
	}
	return recordInvitation(tx, InvitationRevoked, reason, l, "", i, by)
}

// recordInvitation records an event with the decisions of an invitation, and without its address:
// events stay when the account is deleted.
func recordInvitation(tx *gorm.DB, event EventType, reason string, l MailLink, userID string, i Invitation, by By) error {
	detail := map[string]any{"invitation": l.ID}
	for name, list := range map[string][]string{"roles": i.Roles, "groups": i.Groups} {
		if len(list) > 0 {
			detail[name] = list
		}
	}
	if i.Admin {
		detail["admin"] = true
	}
	if i.InvitedBy != "" {
		detail["invited_by"] = i.InvitedBy
	}
	return record(tx, Event{Type: event, Outcome: Succeeded, Reason: reason, UserID: userID, ClientID: i.ClientID, From: by.From, Detail: detail}, by.At)
}

// Invitation returns the decisions of an invitation; those of another link are empty.
func (l MailLink) Invitation() (i Invitation, err error) {
	if l.Kind != LinkInvitation || l.Detail == "" {
		return Invitation{}, nil
	}
	if err := json.Unmarshal([]byte(l.Detail), &i); err != nil {
		return Invitation{}, fmt.Errorf("decode invitation: %w", err)
	}
	return i, nil
}

// applyTo gives a new user what the invitation decides, and nothing else: see Invitation.
func (i Invitation) applyTo(u *User, l MailLink) {
	u.Email, u.EmailVerified = l.Address, !l.Printed || i.EmailVerified
	u.Roles, u.Groups, u.Admin = i.Roles, i.Groups, i.Admin
}

// MayComeFrom reports whether an inviter with these scopes of the administration API may give what the
// invitation gives.
func (i Invitation) MayComeFrom(scopes []string) bool {
	all := slices.Contains(scopes, ScopeAdminAll)
	if i.Admin || len(i.Roles)+len(i.Groups) > 0 || i.EmailVerified {
		return all
	}
	return all || slices.Contains(scopes, ScopeAdminUsers)
}

// inviterScopes returns the scopes of the administration API that an inviter has now. It is a person,
// or a client that calls the API. An inviter that is disabled or deleted has none.
func inviterScopes(tx *gorm.DB, id string) ([]string, error) {
	var people []User
	if err := tx.Select("admin", "lesser_role").Where("id = ? AND disabled_at = 0", id).Limit(1).Find(&people).Error; err != nil {
		return nil, err
	}
	if len(people) > 0 {
		return people[0].AdminRole().Scopes(), nil
	}
	var services []Client
	if err := tx.Where("id = ? AND disabled_at = 0", id).Limit(1).Find(&services).Error; err != nil {
		return nil, err
	}
	if len(services) == 0 || !services[0].AdminAPI {
		return nil, nil
	}
	return strings.Fields(services[0].Metadata.Scope), nil
}

// settleInvitation records that an invitation created a user, and tells the inviter. It refuses
// the invitation if the inviter may not invite any more.
func (db *DB) settleInvitation(tx *gorm.DB, l MailLink, i Invitation, u User, by By) error {
	if u.Admin {
		if err := closeSetup(tx, by.At); err != nil {
			return err
		}
	}
	if i.InvitedBy != "" {
		scopes, err := inviterScopes(tx, i.InvitedBy)
		if err != nil {
			return err
		}
		if !i.MayComeFrom(scopes) {
			return &DeadLinkError{l.Kind, "link_ended"}
		}
		// The network address of the new user is not for the inviter.
		told := By{From: Origin{Actor: u.ID}, At: by.At}
		if err := db.notify(tx, MailDraft{Kind: MailInvitationUsed, UserID: i.InvitedBy, Facts: MailFacts{Invited: l.Address}}, told); err != nil {
			return err
		}
	}
	return recordInvitation(tx, InvitationUsed, "", l, u.ID, i, by)
}

// InvitationState is the state of an invitation.
type InvitationState string

// The states of an invitation. One that was revoked, or ended with everything of the instance, has
// no row.
const (
	InvitationOpen    InvitationState = "open"
	InvitationUsedUp  InvitationState = "used"
	InvitationExpired InvitationState = "expired"
)

// SentInvitation is an invitation with its state.
type SentInvitation struct {
	Link MailLink
	Invitation
	State InvitationState
}

// InvitationFilter selects invitations.
type InvitationFilter struct {
	ID     string         // only this one; "": all
	Before SentInvitation // selects those after this one in the list, the last of the previous page
}

// Invitations lists invitations, the newest first, at most limit. Rows stay until a day after they
// expire, so the list is short.
func (db *DB) Invitations(ctx context.Context, f InvitationFilter, limit int, at time.Time) (list []SentInvitation, err error) {
	err = db.read(ctx, "list invitations", func(q *gorm.DB) error {
		list = nil
		q = q.Where("kind = ?", LinkInvitation)
		if f.ID != "" {
			q = q.Where("id = ?", f.ID)
		}
		if last := f.Before.Link; last.Holder != "" {
			q = q.Where("(created_at < ? OR created_at = ? AND holder > ?)", last.CreatedAt, last.CreatedAt, last.Holder)
		}
		var rows []MailLink
		if err := q.Order("created_at DESC, holder").Limit(limit).Find(&rows).Error; err != nil {
			return err
		}
		for _, l := range rows {
			i, err := l.sentInvitation(at)
			if err != nil {
				return err
			}
			list = append(list, i)
		}
		return nil
	})
	return list, err
}

// sentInvitation returns the invitation of the link, with its state.
func (l MailLink) sentInvitation(at time.Time) (SentInvitation, error) {
	i, err := l.Invitation()
	sent := SentInvitation{l, i, InvitationOpen}
	switch {
	case l.UsedAt != 0:
		sent.State = InvitationUsedUp
	case l.ExpiresAt <= At(at):
		sent.State = InvitationExpired
	}
	return sent, err
}

// RevokeInvitation makes the invitation of an address invalid. It records the event
// invitation.revoked. ErrNotFound: there is none, or it was used. The error of a check.
func (db *DB) RevokeInvitation(ctx context.Context, email string, by By, checks ...InvitationCheck) error {
	canonical, err := CanonicalEmail(email)
	if err == nil {
		err = refuseImpossible(canonical)
	}
	if err != nil {
		return fmt.Errorf("revoke invitation: %w", err)
	}
	return db.revokeInvitation(ctx, gorm.Expr(`holder = ?`, canonical), checks, by)
}

// RevokeInvitationByID is RevokeInvitation for the ID of an invitation. A newer invitation of the
// address has another ID, and stays.
func (db *DB) RevokeInvitationByID(ctx context.Context, id string, by By, checks ...InvitationCheck) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("revoke invitation: %w", err)
	}
	return db.revokeInvitation(ctx, gorm.Expr(`id = ?`, id), checks, by)
}

func (db *DB) revokeInvitation(ctx context.Context, which clause.Expr, checks []InvitationCheck, by By) error {
	return db.write(ctx, "revoke invitation", func(tx *gorm.DB) error {
		var revoked []MailLink
		err := tx.Raw(`DELETE FROM mail_links WHERE kind = ? AND ? AND used_at = 0 RETURNING `+engine.ColumnNames(&MailLink{}), LinkInvitation, which).Scan(&revoked).Error
		if err != nil {
			return err
		}
		if len(revoked) == 0 {
			return ErrNotFound
		}
		return endInvitation(tx, revoked[0], "", checks, by)
	})
}
