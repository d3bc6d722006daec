package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ReplaceSecret gives a client a new secret, as a hash. The current secret stays valid for
// overlap, so that the client can switch without downtime. If the client already has two valid
// secrets, the older one becomes invalid at once. It increments the change counter. It records the event
// client.secret_replaced. ErrNotFound.
func (db *DB) ReplaceSecret(ctx context.Context, clientID, hash string, overlap time.Duration, by By, checks ...ClientCheck) error {
	if err := refuseImpossible(clientID, hash); err != nil {
		return fmt.Errorf("replace client secret: %w", err)
	}
	return db.write(ctx, "replace client secret", func(tx *gorm.DB) error {
		client, err := db.checkedClient(tx, clientID, checks)
		if err != nil {
			return err
		}
		old := client.Secrets[0]
		if until := At(by.At.Add(overlap)); old.ExpiresAt == 0 || old.ExpiresAt > until {
			old.ExpiresAt = until
		}
		if old.Hash == "" || overlap <= 0 {
			old = ClientSecret{}
		}
		return storeSecrets(tx, clientID, [2]ClientSecret{{Hash: hash, CreatedAt: At(by.At)}, old}, ClientSecretReplaced, by)
	})
}

// DeleteSecret deletes one secret of a client, so that it is invalid at once. It increments the change
// counter. It records the event client.secret_deleted. ErrNotFound: no such client, or no such secret.
func (db *DB) DeleteSecret(ctx context.Context, clientID, secretID string, by By, checks ...ClientCheck) error {
	if err := refuseImpossible(clientID, secretID); err != nil {
		return fmt.Errorf("delete client secret: %w", err)
	}
	return db.write(ctx, "delete client secret", func(tx *gorm.DB) error {
		client, err := db.checkedClient(tx, clientID, checks)
		if err != nil {
			return err
		}
		secrets := client.Secrets
		i := slices.IndexFunc(secrets[:], func(s ClientSecret) bool { return s.Hash != "" && s.ID() == secretID })
		if i < 0 {
			return ErrNotFound
		}
		secrets[i] = ClientSecret{}
		return storeSecrets(tx, clientID, secrets, ClientSecretDeleted, by)
	})
}

func storeSecrets(tx *gorm.DB, clientID string, secrets [2]ClientSecret, event EventType, by By) error {
	text, err := engine.JSONText(secrets)
	if err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE clients SET secrets = ?, updated_at = ? WHERE id = ?`, text, At(by.At), clientID).Error; err != nil {
		return err
	}
	return recordClientChange(tx, event, clientID, by)
}

// ID identifies the secret and tells nothing about it.
func (s ClientSecret) ID() string {
	sum := sha256.Sum256([]byte("id of a client secret\x00" + s.Hash))
	return "sec_" + hex.EncodeToString(sum[:8])
}
