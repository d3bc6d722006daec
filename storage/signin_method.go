package storage

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// SignInMethods are the methods by which a user can authenticate.
type SignInMethods struct {
	Password   bool
	Passkeys   int      // number of passkeys that can be used, see ofOwnHost
	Connectors []string // connectors of linked identities, each once, by name
}

// SignInMethodsOf reads the sign-in methods of a user in one statement. An unknown user has
// none.
func (db *DB) SignInMethodsOf(ctx context.Context, userID string) (SignInMethods, error) {
	if err := refuseImpossible(userID); err != nil {
		return SignInMethods{}, fmt.Errorf("read sign-in methods: %w", err)
	}
	var names []string // "" is the password and "crd_…" a passkey; no connector has such a name
	err := db.read(ctx, "read sign-in methods", func(q *gorm.DB) error {
		return q.Raw(`SELECT '' AS name FROM credentials WHERE user_id = ? AND kind = 'password'
			UNION SELECT c.id FROM credentials c WHERE c.user_id = ? AND c.kind = 'webauthn' AND `+ofOwnHost("c")+`
			UNION SELECT connector FROM identities WHERE user_id = ? ORDER BY 1`, userID, userID, userID).Scan(&names).Error
	})
	var ways SignInMethods
	for _, name := range names {
		switch {
		case name == "":
			ways.Password = true
		case strings.HasPrefix(name, credentialPrefix):
			ways.Passkeys++
		default:
			ways.Connectors = append(ways.Connectors, name)
		}
	}
	return ways, err
}
