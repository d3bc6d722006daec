package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// RegistrationToken is an initial access token (RFC 7591, section 3): clients register
// themselves with it.
type RegistrationToken struct {
	ID            string
	Hash          string   // of the token
	Name          string   // for administrators
	RedirectHosts []string `gorm:"serializer:signet_json"` // hosts that redirect URIs may have; empty: every host
	UsesLeft      int64
	CreatedAt     Millis `gorm:"autoCreateTime:false"`
	ExpiresAt     Millis
}

// CreateRegistrationToken stores a new initial access token. It records the event
// registration_token.created.
func (db *DB) CreateRegistrationToken(ctx context.Context, t RegistrationToken, by By) error {
	if err := refuseImpossible(t.ID, t.Hash); err != nil {
		return fmt.Errorf("create registration token: %w", err)
	}
	t.CreatedAt = At(by.At)
	return db.write(ctx, "create registration token", func(tx *gorm.DB) error {
		row := t
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return recordRegistrationToken(tx, RegistrationTokenCreated, t.ID, by)
	})
}

// RegistrationTokens lists the initial access tokens that have not expired or were not swept
// yet, the newest first.
func (db *DB) RegistrationTokens(ctx context.Context) ([]RegistrationToken, error) {
	var list []RegistrationToken
	err := db.read(ctx, "list registration tokens", func(q *gorm.DB) error {
		return q.Order("created_at DESC, id").Find(&list).Error
	})
	return list, err
}

// RegistrationToken reads the initial access token with this hash, whether or not it is still
// valid. ErrNotFound.
func (db *DB) RegistrationToken(ctx context.Context, hash string) (RegistrationToken, error) {
	if err := refuseImpossible(hash); err != nil {
		return RegistrationToken{}, fmt.Errorf("read registration token: %w", err)
	}
	var t RegistrationToken
	err := db.read(ctx, "read registration token", func(q *gorm.DB) error {
		return q.Where("hash = ?", hash).Take(&t).Error
	})
	return t, err
}

// RegistrationTokenWithID reads an initial access token, whether or not it is still valid.
// ErrNotFound.
func (db *DB) RegistrationTokenWithID(ctx context.Context, id string) (RegistrationToken, error) {
	if err := refuseImpossible(id); err != nil {
		return RegistrationToken{}, fmt.Errorf("read registration token by id: %w", err)
	}
	var t RegistrationToken
	err := db.read(ctx, "read registration token by id", func(q *gorm.DB) error {
		return q.Where("id = ?", id).Take(&t).Error
	})
	return t, err
}

// RevokeRegistrationToken deletes an initial access token. Clients that registered with it
// stay. It records the event registration_token.revoked. ErrNotFound.
func (db *DB) RevokeRegistrationToken(ctx context.Context, id string, by By) error {
	if err := refuseImpossible(id); err != nil {
		return fmt.Errorf("revoke registration token: %w", err)
	}
	return db.write(ctx, "revoke registration token", func(tx *gorm.DB) error {
		deleted, err := changeOne(tx, `DELETE FROM registration_tokens WHERE id = ?`, id)
		if err == nil && !deleted {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return recordRegistrationToken(tx, RegistrationTokenRevoked, id, by)
	})
}

func recordRegistrationToken(tx *gorm.DB, kind EventType, id string, by By) error {
	return record(tx, Event{Type: kind, Outcome: Succeeded, From: by.From, Detail: map[string]any{"registration_token": id}}, by.At)
}
