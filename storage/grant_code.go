package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/federation/foreign"
	"signet/storage/engine"
)

// Kinds of spent ids.
const (
	spentRequest = "request" // an authorization request whose code was redeemed
	spentToken   = "jti"     // an access token that was revoked
	spentAttempt = "attempt" // an upstream sign-in that came back, or the proof it gave
)

// CodeRedemption is the input of DB.RedeemCode.
type CodeRedemption struct {
	RequestID  string // what is spent
	CodeID     string // which of the codes of that request
	IssuedAt   Millis // when the code was sent
	SpentUntil Millis // how long the spent row must be remembered
	Grant      Grant  // what is opened; its ID is set by the caller
	From       Origin
}

// RedeemCode spends an authorization code and opens the grant it stands for, in
// one transaction: the session is alive (and seen), the request id is spent, the
// grant is there. The caller has checked client, redirect URI and verifier. Of
// the grant it sets IdleFor and ExpiresAt; generation, idle expiry and the times
// of creation and rotation are set here.
//
// ErrReplayed: this code was spent before; the grant it opened and all its
// tokens are revoked then, committed (RFC 6749, section 4.1.2), and a first-party
// session has ended. Event grant.replayed. ErrExpired: a sibling code of the same
// request was spent; nothing is revoked. ErrRevoked: the user, the client or the
// session is gone, or the consent was withdrawn after the code was sent.
func (db *DB) RedeemCode(ctx context.Context, r CodeRedemption, at time.Time) (Grant, error) {
	g := r.Grant
	if err := refuseImpossible(r.RequestID, r.CodeID, g.ID, g.UserID, g.ClientID, g.SessionID); err != nil {
		return Grant{}, fmt.Errorf("redeem code: %w", err)
	}
	if !foreign.IsStorable(g.Claims) {
		return Grant{}, errors.New("redeem code: the claims parameter is not text")
	}
	err := db.write(ctx, "redeem code", func(tx *gorm.DB) error {
		g = r.Grant
		if err := db.lockRow(tx, userRow, g.UserID, forShare); err != nil {
			return err
		}
		session, err := touchSession(tx, g.UserID, g.SessionID, g.ClientID, at)
		if errors.Is(err, ErrRevoked) {
			return refuseCode(tx, r, whySessionDead(tx, g.UserID, g.SessionID, g.ClientID, at), at)
		}
		if err != nil {
			return err
		}
		withdrawn, err := withdrawnSince(tx, g.UserID, g.ClientID, r.IssuedAt)
		if err != nil {
			return err
		}
		if withdrawn {
			return refuseCode(tx, r, &RevokedError{"consent_withdrawn"}, at)
		}
		fresh, err := spend(tx, spent{Kind: spentRequest, ID: r.RequestID, CodeID: r.CodeID, GrantID: g.ID, ExpiresAt: r.SpentUntil})
		if err != nil {
			return err
		}
		if !fresh {
			return refuseCode(tx, r, ErrExpired, at)
		}
		// A grant is not older than its session, whose node's clock may be ahead:
		// not_before is compared with both.
		g.CreatedAt = max(At(at), session.made)
		if err := openGrant(tx, &g, session, at); err != nil {
			return err
		}
		return trimGrants(tx, g, By{From: r.From, At: at})
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// openGrant stores a new grant of that session, in its first generation. The grant
// belongs to the identity to which the session belongs now.
func openGrant(tx *gorm.DB, g *Grant, of touched, at time.Time) error {
	g.Connector, g.Identity = of.connector, of.identity
	g.Generation, g.RotatedAt, g.IdleExpiresAt = 1, At(at), At(at).Add(g.IdleFor)
	g.RevokedAt, g.RevokeReason = 0, ""
	row, err := engine.Values(g)
	if err != nil {
		return err
	}
	_, err = insertGrant().Exec(tx, row...)
	return err
}

var insertGrant = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`INSERT INTO grants (` + engine.ColumnNames(&Grant{}) + `) VALUES (` + engine.Placeholders(&Grant{}) + `)`)
})

// CodeRefusal is the input of DB.SpendCode: a code that opens nothing.
type CodeRefusal struct {
	RequestID  string // what is spent
	CodeID     string // which of the codes of that request
	SpentUntil Millis // how long the spent row must be remembered
	// RevokesReplayed: if this very code was redeemed before, that is a replay.
	RevokesReplayed bool
}

// SpendCode makes a code worthless without opening a grant: a wrong verifier from
// the right client, or an expired code. If that very code was redeemed before and
// c.RevokesReplayed is set, its grant is revoked and ErrReplayed returned, as in RedeemCode.
func (db *DB) SpendCode(ctx context.Context, c CodeRefusal, by By) error {
	if err := refuseImpossible(c.RequestID, c.CodeID); err != nil {
		return fmt.Errorf("spend code: %w", err)
	}
	return db.write(ctx, "spend code", func(tx *gorm.DB) error {
		fresh, err := spend(tx, spent{Kind: spentRequest, ID: c.RequestID, CodeID: c.CodeID, ExpiresAt: c.SpentUntil})
		if err != nil || fresh || !c.RevokesReplayed {
			return err
		}
		before, err := spentRow(tx, c.RequestID)
		if err != nil || before.CodeID != c.CodeID || before.GrantID == "" {
			return err
		}
		if err := revokeReplayed(tx, before.GrantID, "code_replayed", by); err != nil {
			return err
		}
		return engine.Committed(ErrReplayed)
	})
}

// spent is the row of an id that was used: for a code, which of its request's
// and what it opened.
type spent struct {
	Kind, ID        string
	CodeID, GrantID string
	ExpiresAt       Millis // when the row may be forgotten
}

// spend reports whether the id was fresh; it is spent after this either way.
func spend(tx *gorm.DB, s spent) (bool, error) {
	n, err := insertSpent.Exec(tx, s.Kind, s.ID, s.CodeID, s.GrantID, s.ExpiresAt)
	return n == 1, err
}

var insertSpent = engine.NewStatement(`INSERT INTO spent (kind, id, code_id, grant_id, expires_at)
	VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)

// spentRow reads the row of a request; the zero value if it was never spent.
func spentRow(tx *gorm.DB, requestID string) (spent, error) {
	var rows []spent
	err := tx.Raw(`SELECT code_id, grant_id FROM spent WHERE kind = ? AND id = ?`, spentRequest, requestID).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return spent{}, err
	}
	return rows[0], nil
}

// refuseCode gives the refusal of a code that opens nothing: a replay if it was
// spent before, and otherwise what was found. A replay ends what the code opened, which
// is kept although the caller is refused.
func refuseCode(tx *gorm.DB, r CodeRedemption, otherwise error, at time.Time) error {
	before, err := spentRow(tx, r.RequestID)
	if err != nil {
		return err
	}
	if before.CodeID != r.CodeID {
		return engine.Committed(otherwise)
	}
	if before.GrantID != "" {
		if err := revokeReplayed(tx, before.GrantID, "code_replayed", By{From: r.From, At: at}); err != nil {
			return err
		}
	}
	return engine.Committed(ErrReplayed)
}

// replayed is why a grant, and a first-party one's session, ended.
const replayed = "replayed"

// revokeReplayed ends a grant of which a credential was used twice, and a
// first-party grant's session with it. One that is dead already is left alone.
func revokeReplayed(tx *gorm.DB, id, reason string, by By) error {
	var found []Grant
	if err := tx.Where("id = ?", id).Limit(1).Find(&found).Error; err != nil || len(found) == 0 {
		return err
	}
	g := found[0]
	if g.FirstParty {
		if err := endSession(tx, g.UserID, g.SessionID, replayed, by); err != nil {
			return err
		}
	}
	revoked, err := revokeGrant(tx, id, replayed, by.At)
	if err != nil || !revoked {
		return err
	}
	return record(tx, Event{
		Type: GrantReplayed, Outcome: Refused, Reason: reason, UserID: g.UserID, ClientID: g.ClientID,
		SessionID: g.SessionID, GrantID: g.ID, From: by.From,
	}, by.At)
}
