package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ReplaceSecret gives a client a new secret, as a hash. The current secret stays valid for
// overlap, so that the client can switch without downtime. If the client already has two valid
// secrets, the older one becomes invalid at once. It increments the change counter. It records the event
// client.secret_replaced. ErrNotFound.
func (db *DB) ReplaceSecret(ctx context.Context, clientID, hash string, overlap time.Duration, by By) error {
	if err := refuseImpossible(clientID, hash); err != nil {
		return fmt.Errorf("replace client secret: %w", err)
	}
	return db.write(ctx, "replace client secret", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, clientRow, clientID, forUpdate); err != nil {
			return err
		}
		var client Client
		if err := tx.Where("id = ? AND "+isClient, clientID).Take(&client).Error; err != nil {
			return err
		}
		old := client.Secrets[0]
		if until := At(by.At.Add(overlap)); old.ExpiresAt == 0 || old.ExpiresAt > until {
			old.ExpiresAt = until
		}
		if old.Hash == "" || overlap <= 0 {
			old = ClientSecret{}
		}
		secrets, err := engine.JSONText([2]ClientSecret{{Hash: hash, CreatedAt: At(by.At)}, old})
		if err != nil {
			return err
		}
		if err := tx.Exec(`UPDATE clients SET secrets = ?, updated_at = ? WHERE id = ?`, secrets, At(by.At), clientID).Error; err != nil {
			return err
		}
		return recordClientChange(tx, ClientSecretReplaced, clientID, by)
	})
}
