package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/federation/foreign"
)

// OpenGrant opens a grant for an authorization response that itself contains tokens (OIDC Core,
// section 3.2). It checks that the session is live, and marks it as seen. The caller sets ID,
// IdleFor and ExpiresAt; OpenGrant sets the generation, the idle expiry, and when the grant was
// created and rotated.
//
// ErrRevoked: the user, the client or the session has ended, or the consent was withdrawn at the
// same moment.
func (db *DB) OpenGrant(ctx context.Context, g Grant, from Origin, at time.Time) (Grant, error) {
	if err := refuseImpossible(g.ID, g.UserID, g.ClientID, g.SessionID); err != nil {
		return Grant{}, fmt.Errorf("open grant: %w", err)
	}
	if !foreign.IsStorable(g.Claims) {
		return Grant{}, errors.New("open grant: the claims parameter is not valid text")
	}
	opened := g
	err := db.write(ctx, "open grant", func(tx *gorm.DB) error {
		opened = g
		if err := db.lockRow(tx, userRow, g.UserID, forShare); err != nil {
			return err
		}
		session, err := touchSession(tx, g.UserID, g.SessionID, g.ClientID, at)
		if err != nil {
			return err
		}
		withdrawn, err := withdrawnSince(tx, g.UserID, g.ClientID, At(at))
		if err != nil {
			return err
		}
		if withdrawn {
			return &RevokedError{"consent_withdrawn"}
		}
		opened.CreatedAt = max(At(at), session.createdAt)
		if err := openGrant(tx, &opened, session, at); err != nil {
			return err
		}
		return trimGrants(tx, opened, By{From: from, At: at})
	})
	if err != nil {
		return Grant{}, err
	}
	return opened, nil
}
