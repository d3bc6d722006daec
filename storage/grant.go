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

// Grant is the root of all tokens that a sign-in yields, for one user, client, session and set
// of scopes. A grant is live under these conditions: it is neither revoked nor expired, its user
// and client are enabled, its session is live (unless the grant is offline), and it was created
// after not_before of its user and of the instance. grantLives is this condition in SQL.
type Grant struct {
	ID     string // gid
	UserID string
	// ChosenSubject is that of the user.
	ChosenSubject string `gorm:"column:subject"`
	ClientID      string
	SessionID     string
	Connector     string // of the session that opened it, see Session
	Identity      string

	Offline    bool
	FirstParty bool
	Scopes     []string `gorm:"serializer:signet_json"`
	Resources  []string `gorm:"serializer:signet_json"`
	Claims     string   // the accepted claims request parameter, as JSON; "" for none

	AuthTime     Millis // when the user authenticated; 0: unknown
	StatedAt     Millis // replaces AuthTime in ID tokens (see Session.StatedAuthTime); 0: use AuthTime
	ACR          string
	AMR          []string `gorm:"serializer:signet_json"`
	Confirmation string   // cnf: the key thumbprint of a DPoP-bound grant

	Generation    int64
	RotatedAt     Millis
	IdleFor       time.Duration `gorm:"serializer:signet_millis"`
	IdleExpiresAt Millis
	ExpiresAt     Millis
	CreatedAt     Millis `gorm:"autoCreateTime:false"`
	RevokedAt     Millis
	RevokeReason  string
}

// IDTokenAuthTime returns the auth_time of the grant's ID tokens, also after a refresh (OIDC
// Core, section 12.2). Access tokens contain AuthTime instead, because an API has not agreed to
// best effort.
func (g Grant) IDTokenAuthTime() Millis {
	if g.StatedAt != 0 {
		return g.StatedAt
	}
	return g.AuthTime
}

// LiveGrant reads a live grant and its user in one statement. jti is the ID of an access token
// of the grant; "" skips the check that this token is not revoked.
//
// ErrNotFound: there is no such grant, it is not live, or the token is revoked.
func (db *DB) LiveGrant(ctx context.Context, id, jti string, at time.Time) (Grant, User, error) {
	return db.liveGrantBy(ctx, selectLiveGrant(), id, jti, at)
}

// LiveOnlineGrant is LiveGrant for a client that may no longer have offline_access. Each of its
// grants counts as online and is live only as long as its session.
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
		args := append([]any{id, spentToken, jti}, grantArgs(at)...)
		return engine.RequireRow(s.QueryRow(q, append(engine.Destinations(&g), engine.Destinations(&u)...), args...))
	})
	return g, u, err
}

// The owner is joined as "o", because grantLives uses "u".
var (
	selectLiveGrant   = sync.OnceValue(func() engine.Statement { return buildSelectGrant(grantLives) })
	selectOnlineGrant = sync.OnceValue(func() engine.Statement { return buildSelectGrant(onlineLives) })
)

func buildSelectGrant(lives string) engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Grant{}, "g") + `, ` + engine.ColumnsOf(&User{}, "o") + `
		FROM grants g JOIN users o ON o.id = g.user_id
		WHERE g.id = ? AND NOT EXISTS (SELECT 1 FROM spent WHERE kind = ? AND id = ?) AND ` + lives)
}

// RevokeGrant revokes one grant. If the grant is already revoked or does not exist, it does
// nothing. It records the event grant.revoked.
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
	return changeOne(tx, `UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE id = ? AND revoked_at = 0`,
		At(at), cleanText(reason, longestName), id)
}
