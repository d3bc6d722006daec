package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
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
	var rows []struct {
		Kind   string
		Name   string // of the connector; "" for a credential
		Proven bool
		Usable bool
	}
	err := db.read(ctx, "read sign-in methods", func(q *gorm.DB) error {
		return q.Raw(`SELECT c.kind, '' AS name, c.proven_at <> 0 AS proven, `+ofOwnHost("c")+` AS usable FROM credentials c
			WHERE c.user_id = ?
			UNION ALL SELECT DISTINCT 'identity', connector, FALSE, TRUE FROM identities WHERE user_id = ? ORDER BY 2`, userID, userID).Scan(&rows).Error
	})
	var ways SignInMethods
	codes, lost := false, false
	for _, row := range rows {
		if !row.Usable {
			lost = lost || row.Proven
			continue
		}
		switch row.Kind {
		case FactorRecovery:
			codes = true
		case FactorPassword:
			ways.Password = true
		case FactorTOTP:
			ways.TOTP = true
		case FactorSecurityKey:
			ways.SecurityKeys++
		case FactorPasskey:
			ways.Passkeys++
			if row.Proven {
				ways.ProvenPasskeys++
			}
		case "identity":
			ways.Connectors = append(ways.Connectors, row.Name)
		}
	}
	ways.LostFactor = codes && lost
	return ways, err
}
