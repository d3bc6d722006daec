package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/federation/foreign"
	"signet/storage/engine"
)

// Grant is the root of every token a sign-in yields: user × client × session ×
// scopes. It lives while it is not revoked and not expired, its user and client
// are enabled, its session lives (unless it is offline), and it was made after
// not_before of user and instance: the SQL condition liveGrant.
type Grant struct {
	ID        string // gid
	UserID    string
	ClientID  string
	SessionID string
	Connector string // of the session that opened it; see Session
	Identity  string

	Offline    bool
	FirstParty bool
	Scopes     []string `gorm:"serializer:signet_json"`
	Resources  []string `gorm:"serializer:signet_json"`
	Claims     string   // the claims request parameter, JSON, as accepted; "" for none

	AuthTime     Millis // when the user proved who they are; 0: nobody knows
	StatedAt     Millis // what its ID tokens say instead (see Session.StatedAuthTime); 0: AuthTime
	ACR          string
	AMR          []string `gorm:"serializer:signet_json"`
	Confirmation string   // cnf: the thumbprint a DPoP-bound grant is bound to

	Generation    int64
	RotatedAt     Millis
	IdleFor       time.Duration `gorm:"serializer:signet_millis"`
	IdleExpiresAt Millis
	ExpiresAt     Millis
	CreatedAt     Millis `gorm:"autoCreateTime:false"`
	RevokedAt     Millis
	RevokeReason  string
}

// IDTokenAuthTime is the auth_time of the grant's ID tokens, those of a refresh
// included (OIDC Core, section 12.2). Access tokens say AuthTime: an API has not
// agreed to best effort.
func (g Grant) IDTokenAuthTime() Millis {
	if g.StatedAt != 0 {
		return g.StatedAt
	}
	return g.AuthTime
}

// LiveGrant reads a live grant with its user in one statement, and refuses it
// when the access token jti ("" to skip) has been spent by a revocation.
//
// ErrNotFound: there is none, it is dead, or the token is revoked.
func (db *DB) LiveGrant(ctx context.Context, id, jti string, at time.Time) (Grant, User, error) {
	return db.liveGrantBy(ctx, selectLiveGrant(), id, jti, at)
}

// LiveOnlineGrant is LiveGrant for a client that may not have offline_access any more:
// each of its grants counts as online and lives only as long as its session.
func (db *DB) LiveOnlineGrant(ctx context.Context, id, jti string, at time.Time) (Grant, User, error) {
	return db.liveGrantBy(ctx, selectOnlineGrant(), id, jti, at)
}

func (db *DB) liveGrantBy(ctx context.Context, s engine.Statement, id, jti string, at time.Time) (Grant, User, error) {
	if err := refuseImpossible(id); err != nil {
		return Grant{}, User{}, fmt.Errorf("read grant: %w", err)
	}
	if len(jti) > longestID || !foreign.IsStorable(jti) {
		return Grant{}, User{}, fmt.Errorf("read grant: %w", ErrNotFound)
	}
	var g Grant
	var u User
	err := db.read(ctx, "read grant", func(q *gorm.DB) error {
		args := append([]any{id, spentToken, jti}, grantNow(at)...)
		return engine.RequireRow(s.QueryRow(q, append(engine.Destinations(&g), engine.Destinations(&u)...), args...))
	})
	return g, u, err
}

// The owner is joined as "o": grantLives has a "u" of its own. The id is cast
// because SQLite's planner, when it weighs a join, takes note of a bare "x = ?" and
// compiles the statement again at each execution, which costs ten times the reading.
var (
	selectLiveGrant   = sync.OnceValue(func() engine.Statement { return selectGrantThat(grantLives) })
	selectOnlineGrant = sync.OnceValue(func() engine.Statement { return selectGrantThat(onlineLives) })
)

func selectGrantThat(lives string) engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Grant{}, "g") + `, ` + engine.ColumnsOf(&User{}, "o") + `
		FROM grants g JOIN users o ON o.id = g.user_id
		WHERE g.id = CAST(? AS TEXT) AND NOT EXISTS (SELECT 1 FROM spent WHERE kind = ? AND id = ?) AND ` + lives)
}

// RevokeGrant ends one grant. Revoking a dead one does nothing. Event grant.revoked.
func (db *DB) RevokeGrant(ctx context.Context, id, reason string, by By) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	return db.write(ctx, "revoke grant", func(tx *gorm.DB) error {
		revoked, err := revokeGrant(tx, id, reason, by.At)
		if err != nil || !revoked {
			return err
		}
		var g Grant
		if err := tx.Where("id = ?", id).Take(&g).Error; err != nil {
			return err
		}
		return record(tx, Event{
			Type: GrantRevoked, Outcome: Succeeded, Reason: reason, UserID: g.UserID, ClientID: g.ClientID,
			SessionID: g.SessionID, GrantID: g.ID, From: by.From,
		}, by.At)
	})
}

func revokeGrant(tx *gorm.DB, id, reason string, at time.Time) (bool, error) {
	return changed(tx, `UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE id = ? AND revoked_at = 0`,
		At(at), cleanText(reason, longestName), id)
}
