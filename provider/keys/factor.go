package keys

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"signet/provider/keys/vault"
)

// purposeRecovery is the purpose of the key that RecoveryCodeHash uses. The secret of pairwise
// subjects is the right source: it is sealed under the master key, a rewrap moves it, and no
// rotation changes it. A recovery code must work for years.
const purposeRecovery = "recovery code"

// RecoveryCodeHash returns the form in which a recovery code of a user is stored: HMAC-SHA256
// under a key that all nodes have. Without the key, a copy of the database is not enough to try
// all codes. ErrNoKey: LoadSubjectSecret has not succeeded.
func (r *Ring) RecoveryCodeHash(userID, code string) ([]byte, error) {
	key := r.recovery.Load()
	if key == nil {
		return nil, fmt.Errorf("hash recovery code: %w", ErrNoKey)
	}
	mac := hmac.New(sha256.New, *key)
	mac.Write([]byte(userID + "\x00" + code))
	return mac.Sum(nil), nil
}

// SealFactor seals the secret of an authenticator app for the row with the ID.
func (r *Ring) SealFactor(id string, secret []byte) ([]byte, error) {
	sealed, err := r.inUse.Load().opened.SealFactor(id, secret)
	if err != nil {
		return nil, fmt.Errorf("seal secret of an authenticator app: %w", err)
	}
	return sealed, nil
}

// OpenFactor returns the secret of an authenticator app. If it does not open, OpenFactor reads the
// keys again, because a rewrap may have just sealed it under a new master key. vault.ErrNotOpened.
func (r *Ring) OpenFactor(ctx context.Context, id string, sealed []byte, at time.Time) ([]byte, error) {
	secret, err := r.vault.OpenFactor(id, sealed)
	if errors.Is(err, vault.ErrNotOpened) {
		if err := r.ReloadOnce(ctx, at); err != nil {
			return nil, err
		}
		secret, err = r.vault.OpenFactor(id, sealed)
	}
	if err != nil {
		return nil, fmt.Errorf("open secret of an authenticator app: %w", err)
	}
	return secret, nil
}
