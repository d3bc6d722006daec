package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Identity is a person's account at an upstream, linked to a user. It is identified by
// connector, issuer and subject. It is never found by email address, because addresses get new
// owners. Since the issuer is part of the key, old links do not match if a connector is changed
// to another upstream.
type Identity struct {
	Connector string
	Issuer    string
	Subject   string // compared byte for byte
	UserID    string

	Email     string // from the upstream; shown so that people recognize the account
	Name      string
	Detail    IdentityDetail `gorm:"serializer:signet_json"`
	Groups    []string       `gorm:"serializer:signet_json"` // the last list from the upstream, see AssertedGroups
	UsedAt    Millis
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

// Key identifies an identity in forms, sessions and grants. It is a hash of connector, issuer
// and subject only, and proves nothing.
func (i Identity) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", i.Connector, i.Issuer, i.Subject))
	return hex.EncodeToString(sum[:16])
}

// key is Key, but "" for the zero Identity.
func (i Identity) key() string {
	if i.Connector == "" {
		return ""
	}
	return i.Key()
}

// IdentityDetail holds further values of an identity.
type IdentityDetail struct {
	// UpstreamProfile is the profile that the upstream sent last. Profile fields that the user
	// has not edited since are updated from the upstream.
	UpstreamProfile Profile `json:"said,omitzero"`
	// GroupsRefused is AssertedGroups.Refused of the last sign-in.
	GroupsRefused string `json:"groups_refused,omitempty"`
	// Token is the upstream's token for the person, sealed by the caller under the master key.
	// It is empty if no token is stored.
	Token []byte `json:"token,omitempty"`
}

// IdentitiesOf lists the identities of a user, the oldest first.
func (db *DB) IdentitiesOf(ctx context.Context, userID string) ([]Identity, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	var list []Identity
	err := db.read(ctx, "list identities", func(q *gorm.DB) error {
		return q.Where("user_id = ?", userID).Order("created_at, connector, subject").Find(&list).Error
	})
	return list, err
}

// countSignInMethods counts the methods by which a user can sign in: a passkey, a password (only
// if the user has an email address to enter with it), and each identity of these connectors.
func countSignInMethods(tx *gorm.DB, userID string, connectors []string) (int64, error) {
	var n int64
	err := tx.Raw(`SELECT (SELECT COUNT(*) FROM identities WHERE user_id = ? AND connector IN ?)
		+ (SELECT COUNT(*) FROM credentials c JOIN users u ON u.id = c.user_id
			WHERE c.user_id = ? AND (c.kind = 'webauthn' AND `+ofOwnHost("c")+` OR c.kind = 'password' AND u.email_canonical <> ''))`, userID, connectors, userID).Scan(&n).Error
	return n, err
}

// linkIdentity stores an identity of a user, and reports whether it is new. If the user already
// has it, it updates when the identity was last used.
//
// ErrConflict: the identity belongs to another user.
func linkIdentity(tx *gorm.DB, i Identity, by By) (fresh bool, err error) {
	if err := refuseImpossible(i.Connector, i.Issuer, i.Subject, i.UserID); err != nil {
		return false, err
	}
	fresh, err = changeOne(tx, `INSERT INTO identities (connector, issuer, subject, user_id, email, name, used_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		i.Connector, i.Issuer, i.Subject, i.UserID, cleanText(i.Email, longestName), cleanText(i.Name, longestName), At(by.At), At(by.At))
	if err != nil {
		return false, err
	}
	if fresh {
		if err := storeToken(tx, i); err != nil {
			return false, err
		}
		return true, record(tx, Event{Type: IdentityLinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: by.From}, by.At)
	}
	used, err := changeOne(tx, `UPDATE identities SET used_at = ?, email = ?, name = ?
		WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
		At(by.At), cleanText(i.Email, longestName), cleanText(i.Name, longestName), i.Connector, i.Issuer, i.Subject, i.UserID)
	switch {
	case err != nil:
		return false, err
	case !used:
		return false, ErrConflict
	}
	return false, storeToken(tx, i)
}

// notifyLinked tells the user that an identity was linked to the account.
func (db *DB) notifyLinked(tx *gorm.DB, i Identity, by By) error {
	return db.notify(tx, MailDraft{Kind: MailIdentityLinked, UserID: i.UserID, Facts: MailFacts{Connector: i.Connector, Identity: cleanText(i.Email, longestName)}}, by)
}

// isLinked reports whether the identity belongs to the user.
func isLinked(tx *gorm.DB, i Identity) (bool, error) {
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM identities WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
		i.Connector, i.Issuer, i.Subject, i.UserID).Scan(&n).Error
	return n == 1, err
}

// storeToken replaces the stored token of the identity. If the identity has no token, it deletes
// the stored one.
func storeToken(tx *gorm.DB, i Identity) error {
	detail, err := detailOf(tx, i)
	if err != nil || bytes.Equal(detail.Token, i.Detail.Token) {
		return err
	}
	detail.Token = i.Detail.Token
	return setDetail(tx, i, detail)
}

func detailOf(tx *gorm.DB, i Identity) (IdentityDetail, error) {
	var known Identity
	err := tx.Select("detail").Where("connector = ? AND issuer = ? AND subject = ?", i.Connector, i.Issuer, i.Subject).Take(&known).Error
	return known.Detail, err
}

func setDetail(tx *gorm.DB, i Identity, detail IdentityDetail) error {
	text, err := engine.JSONText(detail)
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE identities SET detail = ? WHERE connector = ? AND issuer = ? AND subject = ?`,
		text, i.Connector, i.Issuer, i.Subject).Error
}
