package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// AddressUndo is the input of DB.UndoAddressChange.
type AddressUndo struct {
	Link   LinkRef // of kind LinkUndo
	UserID string  // of the row of the link
	From   Origin
}

// UndoAddressChange spends the link that the former address of a user got. It restores that
// address, and the credentials and identities as they stood before the change. Those that were
// added later are deleted, and so are consents that were given later. All sessions and grants end,
// including offline grants, and all pending links. No session starts. Later changes of the address
// can no longer be undone; earlier ones can.
//
// An identity that was meanwhile linked to another user stays there: the person who linked it has
// proven to own it, and might lose the only way to sign in. A credential ID that another user has now
// is taken back, see takeHandlesBack. Factors that an operator removed (ResetFactors) and used recovery codes do not come back.
//
// The address that the user had until now gets a mail. It records the events
// address.change_undone, address.proven and session.ended_all, and user.groups_changed.
//
// *DeadLinkError: the link cannot be used; the user is disabled or deleted, an earlier change was
// undone, or an operator has changed the address since. ErrConflict: another user has the former
// address, which only a program of an older release can have allowed.
func (db *DB) UndoAddressChange(ctx context.Context, u AddressUndo, at time.Time) error {
	if err := refuseImpossible(u.UserID); err != nil {
		return fmt.Errorf("undo address change: %w", err)
	}
	ended, by := &DeadLinkError{u.Link.Kind, "link_ended"}, By{From: u.From, At: at}
	if u.Link.Kind != LinkUndo {
		return ended
	}
	return db.write(ctx, "undo address change", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, u.UserID, forUpdate); err != nil {
			return err
		}
		l, err := spendLink(tx, u.Link, at)
		if err != nil {
			return err
		}
		var found []addressChange
		if err := tx.Where("id = ? AND user_id = ?", l.Holder, u.UserID).Limit(1).Find(&found).Error; err != nil {
			return err
		}
		if l.UserID != u.UserID || len(found) == 0 {
			return ended
		}
		c := found[0]
		var before User
		if err := tx.Where("id = ?", u.UserID).Take(&before).Error; err != nil {
			return err
		}
		if err := moveProvenAddress(tx, u.UserID, c.Email, by); err != nil {
			return err
		}
		if err := db.takeHandlesBack(tx, c, at); err != nil {
			return err
		}
		elsewhere, err := restoreWays(tx, c)
		if err != nil {
			return err
		}
		if err := c.forgetLater(tx); err != nil {
			return err
		}
		if err := endAllOfUser(tx, u.UserID, at); err != nil {
			return err
		}
		if err := updateUpstreamGroups(tx, u.UserID, groupsChange{reason: "address_change_undone"}, by); err != nil {
			return err
		}
		if before.EmailVerified && db.mails {
			mail := MailDraft{Kind: MailAddressRestored, Recipient: before.Email, UserID: u.UserID, Facts: factsOf(u.UserID, by)}
			if err := queueMail(tx, mail, at); err != nil {
				return err
			}
		}
		undone := Event{Type: AddressChangeUndone, Outcome: Succeeded, UserID: u.UserID, From: u.From, Detail: before.movedTo(c.Email)}
		if elsewhere > 0 {
			undone.Detail["not_restored"] = elsewhere
		}
		if err := record(tx, undone, at); err != nil {
			return err
		}
		return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: "address_change_undone", UserID: u.UserID, From: u.From}, at)
	})
}

// keepProgress updates the copies from the rows that are still there, so that an undo restores no
// groups that an upstream has taken away since, and no lower counter of a passkey (WebAuthn, section 6.1.1).
var keepProgress = []string{
	`UPDATE former_credentials AS f SET number = CASE WHEN c.number > f.number THEN c.number ELSE f.number END, detail = c.detail, used_at = c.used_at
		FROM credentials c WHERE c.user_id = ? AND c.kind IN ('webauthn', 'security_key') AND f.change_id = ? AND f.id = c.id`,
	`UPDATE former_identities AS f SET groups = i.groups, used_at = i.used_at
		FROM identities i WHERE i.user_id = ? AND f.change_id = ? AND f.connector = i.connector AND f.issuer = i.issuer AND f.subject = i.subject`,
}

// takeHandlesBack removes the passkeys of other users that have the credential ID of a passkey which
// the undo restores. Such a passkey is forged: an authenticator makes a new ID for each passkey, and a
// registration without attestation does not prove that its ID is new. Without this, a person who took
// the account over could keep the owner's passkey out of it for ever. It records the event
// passkey.removed with the reason taken_back, and ends what the passkey opened.
func (db *DB) takeHandlesBack(tx *gorm.DB, c addressChange, at time.Time) error {
	var forged []Passkey
	err := tx.Raw(`DELETE FROM credentials WHERE handle IN (SELECT f.handle FROM former_credentials f WHERE f.change_id = ? AND f.handle <> '')
		AND handle <> '' AND user_id <> ? RETURNING `+passkeyColumns, c.ID, c.UserID).Scan(&forged).Error
	if err != nil {
		return err
	}
	by := By{From: Origin{Actor: ActorSystem}, At: at} // the other user must not learn who undid the change
	for _, p := range forged {
		if err := endAlwaysAsk(tx, p.UserID); err != nil {
			return err
		}
		if err := endSessionsOpenedBy(tx, opener{Key: p.ID, UserID: p.UserID, Reason: "passkey_removed"}, "", by); err != nil {
			return err
		}
		w := unfinished{Kind: identityRemoval, UserID: p.UserID, Identity: p.ID, At: At(at)}
		if w.Bound, err = lastGrantOf(tx, p.UserID, at); err != nil {
			return err
		}
		if _, _, err := w.begin(tx); err != nil { // the periodic job does the rest
			return err
		}
		if err := db.notify(tx, MailDraft{Kind: MailPasskeyRemoved, UserID: p.UserID, Facts: MailFacts{Name: p.Name}}, by); err != nil {
			return err
		}
		if err := record(tx, Event{Type: PasskeyRemoved, Outcome: Succeeded, Reason: "taken_back", UserID: p.UserID, From: by.From}, at); err != nil {
			return err
		}
	}
	return nil
}

// restoreWays replaces the credentials and identities of the user by the copies, and restores the
// choice of SetAlwaysAsk. It returns the
// number of copies that belong to another user now.
func restoreWays(tx *gorm.DB, c addressChange) (elsewhere int64, err error) {
	for _, statement := range keepProgress {
		if err := tx.Exec(statement, c.UserID, c.ID).Error; err != nil {
			return 0, err
		}
	}
	for _, w := range ways {
		if err := tx.Exec(`DELETE FROM `+w.table+` WHERE user_id = ?`, c.UserID).Error; err != nil {
			return 0, err
		}
		var copies int64
		if err := tx.Raw(`SELECT COUNT(*) FROM `+w.copies+` WHERE change_id = ?`, c.ID).Scan(&copies).Error; err != nil {
			return 0, err
		}
		restored := tx.Exec(`INSERT INTO `+w.table+` (`+w.columns+`) SELECT `+w.columns+` FROM `+w.copies+` WHERE change_id = ? ON CONFLICT DO NOTHING`, c.ID)
		if restored.Error != nil {
			return 0, restored.Error
		}
		elsewhere += copies - restored.RowsAffected
	}
	if err := tx.Exec(`UPDATE users SET always_ask_at = ? WHERE id = ?`, c.AlwaysAskAt, c.UserID).Error; err != nil {
		return 0, err
	}
	return elsewhere, endAlwaysAsk(tx, c.UserID)
}

// forgetLater makes this change and all later ones final, and deletes the consents that were given
// since. The row of the own link stays, so that its page can say that it was used.
func (c addressChange) forgetLater(tx *gorm.DB) error {
	for _, statement := range []string{
		`DELETE FROM mail_links WHERE kind = 'undo' AND user_id = ? AND holder IN (SELECT id FROM address_changes WHERE user_id = mail_links.user_id AND changed_at > ?)`,
		`DELETE FROM address_changes WHERE user_id = ? AND changed_at >= ?`,
		`DELETE FROM consents WHERE user_id = ? AND granted_at >= ?`,
	} {
		if err := tx.Exec(statement, c.UserID, c.ChangedAt).Error; err != nil {
			return err
		}
	}
	return nil
}
