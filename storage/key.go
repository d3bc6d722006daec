package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// KeyState is a stage in the life of a key: next, active, retired, gone; or revoked.
type KeyState string

const (
	KeyNext    KeyState = "next"    // published, not signing
	KeyActive  KeyState = "active"  // signing; one per line
	KeyRetired KeyState = "retired" // published while one of its tokens may be valid
	KeyRevoked KeyState = "revoked" // refused everywhere
	KeyGone    KeyState = "gone"    // private half destroyed; the public half still verifies id_token_hint
)

// InternalLine is the line of secrets that are never published.
const InternalLine = "internal"

// ExternalKeyMarker is the first byte of Sealed if Sealed is only a reference to a private half
// outside the database, for example in an HSM. When such a key goes out of use, the caller
// destroys the private half there and then calls ClearKeyReference. The reference stays until
// then.
const ExternalKeyMarker = 2

// Key is a signing key of a published line, or a secret of the internal line. The caller seals
// the private half; storage never has it in plain form.
type Key struct {
	ID     string // kid
	Line   string // the algorithm, or InternalLine
	State  KeyState
	Public string // JWK, JSON; "" on the internal line
	Sealed []byte

	CreatedAt    Millis `gorm:"autoCreateTime:false"` // when it was first published
	ActivatedAt  Millis
	RetiredAt    Millis
	GoneAt       Millis // when a retired key will leave the JWKS, or when a gone key left it
	RevokedAt    Millis
	RevokeReason string
	LongestLife  time.Duration `gorm:"serializer:signet_millis"` // of the tokens signed with it
}

// IsExternal reports whether the private half is outside the database.
func (k Key) IsExternal() bool { return len(k.Sealed) > 0 && k.Sealed[0] == ExternalKeyMarker }

// LastTokenExpiry returns when the last token of a retired key expires. It is zero for a key in
// another state.
func (k Key) LastTokenExpiry() Millis {
	if k.State != KeyRetired {
		return 0
	}
	return k.RetiredAt.Add(k.LongestLife)
}

// Keys reads the keys of all lines, the oldest first.
func (db *DB) Keys(ctx context.Context) ([]Key, error) {
	var list []Key
	err := db.read(ctx, "list keys", func(q *gorm.DB) error {
		return q.Order("created_at, id").Find(&list).Error
	})
	return list, err
}

// ReadKeys reads the keys of a database that is not open, and changes nothing. It returns no
// keys if there is no database.
func ReadKeys(ctx context.Context, c Config) ([]Key, error) {
	var list []Key
	err := engine.Inspect(ctx, c.engineConfig(), func(q *gorm.DB) error {
		return q.Order("created_at, id").Find(&list).Error
	})
	return list, err
}

// StartKeyLines inserts the first keys, an active and a next one, of each line that has no keys
// or was retired. It does nothing for other lines. If several processes start at the same time,
// one of them wins each line. It returns the number of inserted keys and moves the change
// counter if there are any. It records the event key.created.
//
// It sets CreatedAt, and ActivatedAt of active keys, to by.At if they are zero.
func (db *DB) StartKeyLines(ctx context.Context, first []Key, by By) (int, error) {
	for _, k := range first {
		if err := refuseImpossible(k.ID, k.Line); err != nil {
			return 0, fmt.Errorf("start key lines: %w", err)
		}
	}
	started := 0
	err := db.write(ctx, "start key lines", func(tx *gorm.DB) error {
		started = 0
		// The instance row is locked because an empty line has no row of its own to lock.
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		var existing []string
		if err := tx.Raw(`SELECT DISTINCT line FROM keys WHERE state NOT IN ('retired', 'gone')`).Scan(&existing).Error; err != nil {
			return err
		}
		for _, k := range first {
			if slices.Contains(existing, k.Line) {
				continue
			}
			if err := insertKey(tx, k, by); err != nil {
				return err
			}
			started++
		}
		if started == 0 {
			return nil
		}
		return incrementChangeCounter(tx)
	})
	if err != nil {
		return 0, err
	}
	return started, nil
}

func insertKey(tx *gorm.DB, k Key, by By) error {
	if k.CreatedAt == 0 {
		k.CreatedAt = At(by.At)
	}
	if k.State == KeyActive && k.ActivatedAt == 0 {
		k.ActivatedAt = At(by.At)
	}
	if err := tx.Create(&k).Error; err != nil {
		return err
	}
	return record(tx, Event{
		Type: KeyCreated, Outcome: Succeeded, From: by.From,
		Detail: map[string]any{"kid": k.ID, "line": k.Line, "state": string(k.State)},
	}, by.At)
}
