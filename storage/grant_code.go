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

// The kinds of IDs that can be used once.
const (
	spentRequest   = "request"   // an authorization request whose code was redeemed
	spentToken     = "jti"       // an access token that was revoked
	spentAssertion = "assertion" // a client assertion that was accepted
	spentChallenge = "challenge" // a challenge that a passkey has signed
	spentAttempt   = "attempt"   // a completed sign-in at an upstream, or the proof that it yielded
)

// CodeRedemption is the input of DB.RedeemCode.
type CodeRedemption struct {
	RequestID  string // of the authorization request; only one of its codes can be redeemed
	CodeID     string // identifies one of the codes of that request
	IssuedAt   Millis // when the code was sent
	SpentUntil Millis // how long the use must be remembered
	Grant      Grant  // the grant to open; the caller sets its ID
	// FrontGrant is the ID of the grant of the tokens that were sent together with the code; "":
	// none. A replay revokes it too.
	FrontGrant string
	From       Origin
}

// RedeemCode uses up an authorization code and opens its grant, in one transaction. It checks
// that the session is live, and marks it as seen. The caller has checked the client, the
// redirect URI and the code verifier. The caller sets IdleFor and ExpiresAt of the grant;
// RedeemCode sets its generation, its idle expiry, and when it was created and rotated.
//
// ErrReplayed: this code was used before. Its grant, FrontGrant and all their tokens are revoked,
// and a first-party session has ended; this is committed (RFC 6749, section 4.1.2). It records the event
// grant.replayed. ErrExpired: another code of the same request was used; nothing is revoked.
// ErrRevoked: the user, the client or the session has ended, or the consent was withdrawn after
// the code was issued.
func (db *DB) RedeemCode(ctx context.Context, r CodeRedemption, at time.Time) (Grant, error) {
	g := r.Grant
	if err := refuseImpossible(r.RequestID, r.CodeID, g.ID, g.UserID, g.ClientID, g.SessionID); err != nil {
		return Grant{}, fmt.Errorf("redeem code: %w", err)
	}
	if !foreign.IsStorable(g.Claims) {
		return Grant{}, errors.New("redeem code: the claims parameter is not valid text")
	}
	err := db.write(ctx, "redeem code", func(tx *gorm.DB) error {
		g = r.Grant
		if err := db.lockRow(tx, userRow, g.UserID, forShare); err != nil {
			return err
		}
		session, err := touchSession(tx, g.UserID, g.SessionID, g.ClientID, at)
		if errors.Is(err, ErrRevoked) {
			return refuseCode(tx, r, explainDeadSession(tx, g.UserID, g.SessionID, g.ClientID, at), at)
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
		// A grant must not be older than its session, because not_before is compared with
		// both. The clock of the node that created the session may be ahead.
		g.CreatedAt = max(At(at), session.createdAt)
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

// openGrant stores a new grant of that session, in its first generation. The grant gets the
// identity that the session has now, and the chosen subject of its user.
func openGrant(tx *gorm.DB, g *Grant, of touchedSession, at time.Time) error {
	g.Connector, g.Identity, g.ChosenSubject = of.connector, of.identity, of.chosenSubject
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

// CodeRefusal is the input of DB.SpendCode: a code that must not open a grant.
type CodeRefusal struct {
	RequestID  string // of the authorization request; only one of its codes can be redeemed
	CodeID     string // identifies one of the codes of that request
	SpentUntil Millis // how long the use must be remembered
	// RevokesReplayed: if this code was redeemed before, treat this as a replay.
	RevokesReplayed bool
	FrontGrant      string // as in CodeRedemption
}

// SpendCode makes a code invalid without opening a grant. It is for expired codes, and for a
// wrong code verifier from the right client.
//
// ErrReplayed: c.RevokesReplayed is set and this code was redeemed before; its grant and
// FrontGrant are revoked, as in RedeemCode.
func (db *DB) SpendCode(ctx context.Context, c CodeRefusal, by By) error {
	if err := refuseImpossible(c.RequestID, c.CodeID); err != nil {
		return fmt.Errorf("spend code: %w", err)
	}
	return db.write(ctx, "spend code", func(tx *gorm.DB) error {
		fresh, err := spend(tx, spent{Kind: spentRequest, ID: c.RequestID, CodeID: c.CodeID, ExpiresAt: c.SpentUntil})
		if err != nil || fresh || !c.RevokesReplayed {
			return err
		}
		before, err := readSpent(tx, c.RequestID)
		if err != nil || before.CodeID != c.CodeID || before.GrantID == "" {
			return err
		}
		if err := revokeReplayedCode(tx, before.GrantID, c.FrontGrant, by); err != nil {
			return err
		}
		return engine.Committed(ErrReplayed)
	})
}

// spent is the row of a used ID. For a code it also identifies the code and the grant that it
// opened.
type spent struct {
	Kind, ID        string
	CodeID, GrantID string
	ExpiresAt       Millis // when the row may be deleted
}

// spend marks the ID as used and reports whether it was unused before.
func spend(tx *gorm.DB, s spent) (bool, error) {
	n, err := insertSpent.Exec(tx, s.Kind, s.ID, s.CodeID, s.GrantID, s.ExpiresAt)
	return n == 1, err
}

var insertSpent = engine.NewStatement(`INSERT INTO spent (kind, id, code_id, grant_id, expires_at)
	VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)

// readSpent reads the row of an authorization request. It returns the zero value if no code of
// the request was used.
func readSpent(tx *gorm.DB, requestID string) (spent, error) {
	var rows []spent
	err := tx.Raw(`SELECT code_id, grant_id FROM spent WHERE kind = ? AND id = ?`, spentRequest, requestID).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return spent{}, err
	}
	return rows[0], nil
}

// refuseCode returns the error for a code that opens no grant: ErrReplayed if this code was used
// before, and otherwise the given error. A replay revokes the grant of the code, and that is
// committed although the caller gets an error.
func refuseCode(tx *gorm.DB, r CodeRedemption, otherwise error, at time.Time) error {
	before, err := readSpent(tx, r.RequestID)
	if err != nil {
		return err
	}
	if before.CodeID != r.CodeID {
		return engine.Committed(otherwise)
	}
	if err := revokeReplayedCode(tx, before.GrantID, r.FrontGrant, By{From: r.From, At: at}); err != nil {
		return err
	}
	return engine.Committed(ErrReplayed)
}

// revokeReplayedCode revokes the grant that a code has opened, and the grant of the tokens that
// were sent together with the code; front may be "". It does nothing if the code has opened no
// grant.
func revokeReplayedCode(tx *gorm.DB, opened, front string, by By) error {
	if opened == "" {
		return nil
	}
	if err := revokeReplayed(tx, opened, "code_replayed", by); err != nil || front == "" {
		return err
	}
	return revokeReplayed(tx, front, "code_replayed", by)
}

// replayed is the reason why a grant was revoked, and why a first-party session ended.
const replayed = "replayed"

// revokeReplayed revokes a grant of which a credential was used twice, and ends the session of a
// first-party grant. It does nothing if the grant is already revoked.
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
