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

// Identity is a person as an upstream knows it, linked to a user. It is found by
// connector, issuer and subject, never by e-mail: addresses change hands. The
// issuer is part of it, so that a connector that is pointed at another upstream
// matches none of its old links.
type Identity struct {
	Connector string
	Issuer    string
	Subject   string // compared byte for byte
	UserID    string

	Email     string // as the upstream says it, to tell people which account it is
	Name      string
	Detail    IdentityDetail `gorm:"serializer:signet_json"`
	Groups    []string       `gorm:"serializer:signet_json"` // as the upstream gave them last: see AssertedGroups
	UsedAt    Millis
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

// Key names an identity in forms, sessions and grants: a hash of connector, issuer
// and subject, and of nothing else. It proves nothing.
func (i Identity) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", i.Connector, i.Issuer, i.Subject))
	return hex.EncodeToString(sum[:16])
}

// key is Key, and "" for the zero Identity.
func (i Identity) key() string {
	if i.Connector == "" {
		return ""
	}
	return i.Key()
}

// IdentityDetail is what else is kept of an identity.
type IdentityDetail struct {
	// UpstreamProfile is the profile as the upstream gave it last: what a user has not changed
	// since follows it.
	UpstreamProfile Profile `json:"said,omitzero"`
	// GroupsRefused is AssertedGroups.Refused of the last sign-in.
	GroupsRefused string `json:"groups_refused,omitempty"`
	// Token is the upstream's own token for the person, sealed by the caller under the
	// master key; empty where none is kept.
	Token []byte `json:"token,omitempty"`
}

// IdentitiesOf lists a user's identities, the oldest first.
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

// waysIn counts the ways a user can sign in: a password is one if the user has an
// address to type beside it, each identity of these connectors is one.
func waysIn(tx *gorm.DB, userID string, connectors []string) (int64, error) {
	var n int64
	err := tx.Raw(`SELECT (SELECT COUNT(*) FROM identities WHERE user_id = ? AND connector IN ?)
		+ (SELECT COUNT(*) FROM credentials c JOIN users u ON u.id = c.user_id
			WHERE c.user_id = ? AND (c.kind = 'webauthn' OR c.kind = 'password' AND u.email_canonical <> ''))`, userID, connectors, userID).Scan(&n).Error
	return n, err
}

// link stores an identity of a user, or notes that it was used if it is this
// user's already.
//
// ErrConflict: it is another user's.
func link(tx *gorm.DB, i Identity, by By) error {
	if err := refuseImpossible(i.Connector, i.Issuer, i.Subject, i.UserID); err != nil {
		return err
	}
	fresh, err := changed(tx, `INSERT INTO identities (connector, issuer, subject, user_id, email, name, used_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		i.Connector, i.Issuer, i.Subject, i.UserID, cleanText(i.Email, longestName), cleanText(i.Name, longestName), At(by.At), At(by.At))
	if err != nil {
		return err
	}
	if fresh {
		if err := keepToken(tx, i); err != nil {
			return err
		}
		return record(tx, Event{Type: IdentityLinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: by.From}, by.At)
	}
	used, err := changed(tx, `UPDATE identities SET used_at = ?, email = ?, name = ?
		WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
		At(by.At), cleanText(i.Email, longestName), cleanText(i.Name, longestName), i.Connector, i.Issuer, i.Subject, i.UserID)
	switch {
	case err != nil:
		return err
	case !used:
		return ErrConflict
	}
	return keepToken(tx, i)
}

// isLinked reports whether the identity is the user's.
func isLinked(tx *gorm.DB, i Identity) (bool, error) {
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM identities WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
		i.Connector, i.Issuer, i.Subject, i.UserID).Scan(&n).Error
	return n == 1, err
}

// keepToken puts the identity's token in place of the one that was kept; none,
// in place of any.
func keepToken(tx *gorm.DB, i Identity) error {
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
