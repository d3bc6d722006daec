package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// TokenRevocation is the input of DB.RevokeToken.
type TokenRevocation struct {
	JTI      string
	ClientID string // of the client that revokes it
	GrantID  string // "" for a token without a grant
	Expires  Millis // of the token: how long the revocation must be remembered
}

// RevokeToken makes one access token worthless until it would have expired
// anyway; its grant lives. Revoking it again does nothing. Event token.revoked.
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

// IsTokenRevoked reports whether an access token without a grant was revoked, or is
// from before the database was restored.
func (db *DB) IsTokenRevoked(ctx context.Context, jti string, issued Millis) (bool, error) {
	if err := refuseImpossible(jti); err != nil {
		return false, fmt.Errorf("read revocation: %w", err)
	}
	var n int64
	err := db.read(ctx, "read revocation", func(q *gorm.DB) error {
		return q.Raw(`SELECT (SELECT COUNT(*) FROM spent WHERE kind = ? AND id = ?) + (SELECT COUNT(*) FROM instance WHERE id = 1 AND not_before > ?)`,
			spentToken, jti, issued).Scan(&n).Error
	})
	return n > 0, err
}
