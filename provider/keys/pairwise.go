package keys

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync/atomic"
)

const purposePairwise = "pairwise subject"

// PairwiseSubject returns the subject of a user for the clients of a sector (OIDC Core, section
// 8.1): HMAC-SHA256 under a key that all nodes have and that never changes, as 43 characters of
// base64url. Without the key, nobody can compute it or tell that two subjects of different
// sectors belong to one user. ErrNoKey: LoadSubjectSecret has not succeeded.
func (r *Ring) PairwiseSubject(sector, userID string) (string, error) {
	key := r.pairwise.Load()
	if key == nil {
		return "", fmt.Errorf("make pairwise subject: %w", ErrNoKey)
	}
	mac := hmac.New(sha256.New, *key)
	mac.Write([]byte(sector + "\x00" + userID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// LoadSubjectSecret reads the secret of pairwise subjects and recovery codes, unless the ring has
// it.
//
// storage.ErrNotFound: the database has none; keeper.Start makes it. vault.ErrNotOpened.
func (r *Ring) LoadSubjectSecret(ctx context.Context) error {
	if r.pairwise.Load() != nil && r.recovery.Load() != nil {
		return nil
	}
	sealed, err := r.db.SubjectSecret(ctx)
	if err != nil {
		return err
	}
	secret, err := r.vault.OpenSubjectSecret(sealed)
	if err != nil {
		return err
	}
	for purpose, key := range map[string]*atomic.Pointer[[]byte]{purposeRecovery: &r.recovery, purposePairwise: &r.pairwise} {
		derived, err := hkdf.Key(sha256.New, secret, nil, purposeInfo(purpose), sha256.Size)
		if err != nil {
			return err
		}
		key.Store(&derived)
	}
	return nil
}
