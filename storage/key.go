package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// KeyState is a stage in the life of a key: next, active, retired, gone; or
// revoked.
type KeyState string

const (
	KeyNext    KeyState = "next"    // published, not signing
	KeyActive  KeyState = "active"  // signing; one per line
	KeyRetired KeyState = "retired" // published while a token of it may live
	KeyRevoked KeyState = "revoked" // refused everywhere
	KeyGone    KeyState = "gone"    // its private half is destroyed; the public one serves id_token_hint
)

// InternalLine is the line of secrets that is never published.
const InternalLine = "internal"

// ExternalKeyMarker is the first byte of Sealed where that is only a reference: the
// private half is kept outside the database. When the key goes out of use, the caller
// destroys it there and lets ClearKeyReference follow; the reference stays until then.
const ExternalKeyMarker = 2

// Key is a signing key of a published line, or a secret of the internal one. The
// private half is sealed by the caller; storage never sees it.
type Key struct {
	ID     string // kid
	Line   string // the algorithm, or InternalLine
	State  KeyState
	Public string // JWK, JSON; "" on the internal line
	Sealed []byte

	CreatedAt    Millis `gorm:"autoCreateTime:false"` // published since
	ActivatedAt  Millis
	RetiredAt    Millis
	GoneAt       Millis // a retired key: when it leaves the JWKS; a gone one: when it left
	RevokedAt    Millis
	RevokeReason string
	LongestLife  time.Duration `gorm:"serializer:signet_millis"` // of what was signed with it
}

// IsExternal reports whether the private half is kept outside the database.
func (k Key) IsExternal() bool { return len(k.Sealed) > 0 && k.Sealed[0] == ExternalKeyMarker }

// LastTokenExpiry tells when the last token of a retired key does; never for others.
func (k Key) LastTokenExpiry() Millis {
	if k.State != KeyRetired {
		return 0
	}
	return k.RetiredAt.Add(k.LongestLife)
}

// Keys reads all keys of all lines, the oldest first.
func (db *DB) Keys(ctx context.Context) ([]Key, error) {
	var list []Key
	err := db.read(ctx, "list keys", func(q *gorm.DB) error {
		return q.Order("created_at, id").Find(&list).Error
	})
	return list, err
}

// ReadKeys reads the keys of a database that is not open, and changes nothing: none where
// there is no database yet.
func ReadKeys(ctx context.Context, c Config) ([]Key, error) {
	var list []Key
	err := engine.Inspect(ctx, c.engineConfig(), func(q *gorm.DB) error {
		return q.Order("created_at, id").Find(&list).Error
	})
	return list, err
}

// StartKeyLines inserts the first keys (an active one and a next one) of every line
// that has none at all, or was retired; a line that exists is left alone. Of several processes
// that start together one wins each line. Moves the change counter if anything
// was inserted, and gives the number of keys that were. Event key.created.
//
// CreatedAt and, of an active key, ActivatedAt are set to at where they are zero.
func (db *DB) StartKeyLines(ctx context.Context, first []Key, by By) (int, error) {
	for _, k := range first {
		if err := refuseImpossible(k.ID, k.Line); err != nil {
			return 0, fmt.Errorf("start key lines: %w", err)
		}
	}
	started := 0
	err := db.write(ctx, "start key lines", func(tx *gorm.DB) error {
		started = 0
		// The lines are decided one process at a time: an empty line has no row
		// to lock.
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
		return noteChange(tx)
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
