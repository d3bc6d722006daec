package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"gorm.io/gorm"
)

// SpendAssertion marks a client assertion as used, so that no node accepts it again. It reports
// whether the assertion was unused. jti is its ID, which is unique for the client only and may be
// any text. The use is stored until expires; from then on the caller refuses the assertion because
// of its age.
func (db *DB) SpendAssertion(ctx context.Context, clientID, jti string, expires Millis) (fresh bool, err error) {
	sum := sha256.Sum256([]byte(clientID + "\x00" + jti))
	id := base64.RawURLEncoding.EncodeToString(sum[:])
	err = db.write(ctx, "spend assertion", func(tx *gorm.DB) error {
		fresh, err = spend(tx, spent{Kind: spentAssertion, ID: id, ExpiresAt: expires})
		return err
	})
	return fresh && err == nil, err
}
