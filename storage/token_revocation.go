package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// TokenRevocation is the input of DB.RevokeToken.
type TokenRevocation struct {
	JTI      string
	ClientID string // the client that revokes the token
	GrantID  string // "": the token has no grant
	Expires  Millis // when the token expires; the revocation is stored until then
}

// RevokeToken revokes one access token until it expires; its grant stays live. If the token is
// revoked already, nothing happens. It records the event token.revoked.
func (db *DB) RevokeToken(ctx context.Context, r TokenRevocation, by By) error {
	if err := refuseImpossible(r.JTI); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return db.write(ctx, "revoke token", func(tx *gorm.DB) error {
		fresh, err := spend(tx, spent{Kind: spentToken, ID: r.JTI, GrantID: r.GrantID, ExpiresAt: r.Expires})
		if err != nil || !fresh {
			return err
		}
		return record(tx, Event{Type: TokenRevoked, Outcome: Succeeded, ClientID: r.ClientID, GrantID: r.GrantID, From: by.From}, by.At)
	})
}

// IsTokenRevoked reports whether an access token without a grant was revoked, or was issued
// before everything of the instance ended. issued is in whole seconds. A token from the second
// in which everything ended is not revoked: if it is older than the end, then its key is revoked,
// or the end is in a later second (MarkRestored).
func (db *DB) IsTokenRevoked(ctx context.Context, jti string, issued Millis) (bool, error) {
	if err := refuseImpossible(jti); err != nil {
		return false, fmt.Errorf("read revocation: %w", err)
	}
	var n int64
	err := db.read(ctx, "read revocation", func(q *gorm.DB) error {
		return q.Raw(`SELECT (SELECT COUNT(*) FROM spent WHERE kind = ? AND id = ?) + (SELECT COUNT(*) FROM instance WHERE id = 1 AND not_before > ?)`,
			spentToken, jti, issued+999).Scan(&n).Error
	})
	return n > 0, err
}
