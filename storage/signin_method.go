package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// SignInMethods are the methods by which a user can authenticate.
type SignInMethods struct {
	Password       bool
	Passkeys       int      // number of passkeys that can be used, see ofOwnHost
	ProvenPasskeys int      // those of them with which a sign-in has two factors (Passkey.ProvenAt)
	TOTP           bool     // an authenticator app, which is asked for after one of the other methods
	SecurityKeys   int      // number of security keys that can be used; asked for in the same way
	LostFactor     bool     // a security key or proven passkey of another RP ID, for which a recovery code stands
	Connectors     []string // connectors of linked identities, each once, by name
}

// SecondACR returns the strongest acr of a sign-in that begins with one factor of any kind and goes
// on with a second factor of the user. A proven passkey can be that.
func (m SignInMethods) SecondACR() string {
	switch {
	case m.SecurityKeys > 0, m.ProvenPasskeys > 0:
		return ACRPhishingResistant
	case m.TOTP, m.LostFactor:
		return ACRTwoFactors
	}
	return ACROneFactor
}

// ReachableACR returns the strongest acr that the user can reach.
func (m SignInMethods) ReachableACR() string { return m.SecondACR() }

// SignInMethodsOf reads the sign-in methods of a user in one statement. An unknown user has
// none.
func (db *DB) SignInMethodsOf(ctx context.Context, userID string) (SignInMethods, error) {
	if err := refuseImpossible(userID); err != nil {
		return SignInMethods{}, fmt.Errorf("read sign-in methods: %w", err)
	}
	var ways SignInMethods
	err := db.read(ctx, "read sign-in methods", func(q *gorm.DB) error {
		ways = SignInMethods{}
		codes, lost := false, false
		var row struct {
			kind, connector string // "" for a credential
			proven, usable  bool
		}
		err := selectSignInMethods.QueryRows(q, []any{&row.kind, &row.connector, &row.proven, &row.usable}, func() {
			codes = codes || row.usable && row.kind == FactorRecovery
			lost = lost || row.proven && !row.usable
			if row.usable {
				ways.add(row.kind, row.connector, row.proven)
			}
		}, userID, userID)
		ways.LostFactor = codes && lost
		return err
	})
	return ways, err
}

var selectSignInMethods = engine.NewStatement(`SELECT c.kind, '' AS name, c.proven_at <> 0, ` + ofOwnHost("c") + ` FROM credentials c WHERE c.user_id = ?
	UNION ALL SELECT DISTINCT 'identity', connector, FALSE, TRUE FROM identities WHERE user_id = ? ORDER BY 2`)

// add counts a credential that can be used, or an identity.
func (m *SignInMethods) add(kind, connector string, proven bool) {
	switch kind {
	case FactorPassword:
		m.Password = true
	case FactorTOTP:
		m.TOTP = true
	case FactorSecurityKey:
		m.SecurityKeys++
	case FactorPasskey:
		m.Passkeys++
		if proven {
			m.ProvenPasskeys++
		}
	case "identity":
		m.Connectors = append(m.Connectors, connector)
	}
}
