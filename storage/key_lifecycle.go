package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// KeyRotation moves one line to its next key.
type KeyRotation struct {
	Line   string
	Active string        // kid of the key that signs now; "" if there is none
	Next   Key           // becomes active; must be unchanged since it was read
	Fresh  Key           // becomes the next key
	Life   time.Duration // the longest life of a token that Next will sign
	Margin time.Duration // how long a retired key stays published after its last token has expired
}

// clearPrivateKey erases the sealed private half of a key that goes out of use. If the private
// half is outside the database, the reference stays until ClearKeyReference. The parameters are
// externalMarker and emptyBytes.
const clearPrivateKey = `sealed = CASE WHEN substr(sealed, 1, 1) = ? THEN sealed ELSE ? END`

var externalMarker, emptyBytes = []byte{ExternalKeyMarker}, []byte{}

// writeKeys runs a use case that changes keys. Such use cases run one after another, so the rows
// that one of them reads do not change before it ends.
func (db *DB) writeKeys(ctx context.Context, name string, run engine.UseCase) error {
	return db.write(ctx, name, func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		return run(tx)
	})
}

// RotateKeys rotates the keys of several lines (one line for each algorithm), all lines or none.
// The next key becomes active, the active key becomes retired, and a new key becomes the next
// one. A retired key is deleted when its last token has expired. If several callers rotate at
// the same time, only the first one succeeds. RotateKeys increments the change counter and
// records the event key.rotated for each line.
//
// ErrConflict: another rotation, a revocation or a rewrap came first; nothing was changed.
func (db *DB) RotateKeys(ctx context.Context, lines []KeyRotation, by By) error {
	return db.writeKeys(ctx, "rotate keys", func(tx *gorm.DB) error {
		for _, r := range lines {
			if err := rotateLine(tx, r, by); err != nil {
				return err
			}
		}
		return incrementChangeCounter(tx)
	})
}

func rotateLine(tx *gorm.DB, r KeyRotation, by By) error {
	if r.Active != "" {
		retired, err := changeOne(tx, `UPDATE keys SET state = 'retired', retired_at = ?, gone_at = ? + longest_life + ?
			WHERE id = ? AND line = ? AND state = 'active'`, At(by.At), At(by.At), r.Margin.Milliseconds(), r.Active, r.Line)
		if err != nil {
			return err
		}
		if !retired {
			return ErrConflict
		}
	}
	if err := activateKey(tx, r.Next, r.Life, by.At); err != nil {
		return err
	}
	if err := insertKey(tx, r.Fresh, by); err != nil {
		return err
	}
	return record(tx, Event{
		Type: KeyRotated, Outcome: Succeeded, From: by.From,
		Detail: map[string]any{"line": r.Line, "kid": r.Next.ID, "retired": r.Active, "next": r.Fresh.ID},
	}, by.At)
}

// activateKey makes a next key active. ErrConflict: the key, or its sealed private half, has
// changed since it was read.
func activateKey(tx *gorm.DB, next Key, life time.Duration, at time.Time) error {
	won, err := changeOne(tx, `UPDATE keys SET state = 'active', activated_at = ?, longest_life = ?
		WHERE id = ? AND line = ? AND state = 'next' AND sealed = ?`,
		At(at), life.Milliseconds(), next.ID, next.Line, next.Sealed)
	if err == nil && !won {
		err = ErrConflict
	}
	return err
}

// KeyRevocation is the input of DB.RevokeKey.
type KeyRevocation struct {
	Key     Key    // must be unchanged since it was read
	Reason  string // free text of an operator
	Promote *Key   // if Key is active: the next key, which becomes active; must be unchanged since it was read
	Fresh   []Key  // new keys for the empty places
	Life    time.Duration
}

// RevokeKey invalidates everything that a key signed or sealed, destroys its private half and
// puts other keys in its place. It increments the change counter. It records the event key.revoked.
//
// ErrConflict: the key or its successor has changed since it was read; nothing was changed.
func (db *DB) RevokeKey(ctx context.Context, r KeyRevocation, by By) error {
	return db.writeKeys(ctx, "revoke key", func(tx *gorm.DB) error {
		won, err := changeOne(tx, `UPDATE keys SET state = 'revoked', revoked_at = ?, revoke_reason = ?, `+clearPrivateKey+`
			WHERE id = ? AND state = ?`, At(by.At), cleanText(r.Reason, longestName), externalMarker, emptyBytes, r.Key.ID, r.Key.State)
		if err != nil {
			return err
		}
		if !won {
			return ErrConflict
		}
		detail := map[string]any{"kid": r.Key.ID, "line": r.Key.Line, "state": string(r.Key.State), "reason": r.Reason}
		if r.Promote != nil {
			if err := activateKey(tx, *r.Promote, r.Life, by.At); err != nil {
				return err
			}
			detail["successor"] = r.Promote.ID
		}
		for _, k := range r.Fresh {
			if err := insertKey(tx, k, by); err != nil {
				return err
			}
		}
		if err := record(tx, Event{Type: KeyRevokedEvent, Outcome: Succeeded, From: by.From, Detail: detail}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// AddNextKey adds a next key to a line that has none. It increments the change counter. It records the event
// key.created.
//
// ErrConflict: the line has a next key.
func (db *DB) AddNextKey(ctx context.Context, k Key, by By) error {
	if err := refuseImpossible(k.ID, k.Line); err != nil {
		return fmt.Errorf("add next key: %w", err)
	}
	if k.State != KeyNext {
		return errors.New("add next key: the key is not in the state next")
	}
	return db.writeKeys(ctx, "add next key", func(tx *gorm.DB) error {
		if err := insertKey(tx, k, by); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// ClearKeyReference deletes the reference to the private half of a key that is gone or revoked.
// The caller has destroyed the private half. It increments the change counter.
func (db *DB) ClearKeyReference(ctx context.Context, id string) error {
	return db.writeKeys(ctx, "clear key reference", func(tx *gorm.DB) error {
		forgotten, err := changeOne(tx, `UPDATE keys SET sealed = ? WHERE id = ? AND state IN ('gone', 'revoked') AND sealed <> ?`, emptyBytes, id, emptyBytes)
		if err != nil || !forgotten {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// RaiseLongestLife stores the longest life of tokens that an active key signs, if it is longer
// than the stored one. It increments the change counter in that case.
func (db *DB) RaiseLongestLife(ctx context.Context, id string, life time.Duration) error {
	return db.writeKeys(ctx, "raise longest life", func(tx *gorm.DB) error {
		longer, err := changeOne(tx, `UPDATE keys SET longest_life = ? WHERE id = ? AND state = 'active' AND longest_life < ?`,
			life.Milliseconds(), id, life.Milliseconds())
		if err != nil || !longer {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// EndExpiredKeys ends the retired keys after their gone_at: it destroys the private half and
// keeps the public one. If a line has no active key, its retired keys stay, unless the line was
// retired. It deletes keys that have been gone or revoked for longer than keep. It returns the
// number of both, and increments the change counter if there are any. It records the event key.gone for each ended
// key.
func (db *DB) EndExpiredKeys(ctx context.Context, keep time.Duration, by By) (int, error) {
	ended := 0
	err := db.writeKeys(ctx, "end expired keys", func(tx *gorm.DB) error {
		ended = 0
		var over []Key
		if err := tx.Raw(`SELECT id, line FROM keys WHERE state = 'retired' AND gone_at <= ?
			AND (line IN (SELECT line FROM keys WHERE state = 'active') OR line NOT IN (SELECT line FROM keys WHERE state = 'next')) ORDER BY gone_at, id`, At(by.At)).Scan(&over).Error; err != nil {
			return err
		}
		for _, k := range over {
			won, err := changeOne(tx, `UPDATE keys SET state = 'gone', gone_at = ?, `+clearPrivateKey+` WHERE id = ? AND state = 'retired'`, At(by.At), externalMarker, emptyBytes, k.ID)
			if err != nil {
				return err
			}
			if !won {
				continue
			}
			ended++
			e := Event{Type: KeyEnded, Outcome: Succeeded, From: by.From, Detail: map[string]any{"kid": k.ID, "line": k.Line}}
			if err := record(tx, e, by.At); err != nil {
				return err
			}
		}
		before := At(by.At.Add(-keep))
		res := tx.Exec(`DELETE FROM keys WHERE state = 'gone' AND gone_at <= ? OR state = 'revoked' AND revoked_at <= ?`, before, before)
		if res.Error != nil {
			return res.Error
		}
		ended += int(res.RowsAffected)
		if ended == 0 {
			return nil
		}
		return incrementChangeCounter(tx)
	})
	return ended, err
}

// RetireKeyLine retires a line, so that it signs nothing more. Its active key stays published
// until its last token has expired. Its next key, which has signed nothing, is destroyed. It
// increments the change counter. It records the event key.retired.
//
// ErrNotFound: the line has no active key. ErrConflict: the ID tokens or the userinfo of an enabled
// client are signed with this algorithm; nothing was changed.
func (db *DB) RetireKeyLine(ctx context.Context, line string, margin time.Duration, by By) error {
	return db.writeKeys(ctx, "retire key line", func(tx *gorm.DB) error {
		var clients []Client
		if err := tx.Where("disabled_at = 0").Find(&clients).Error; err != nil {
			return err
		}
		for _, c := range clients {
			if slices.Contains(c.ChosenAlgs(), line) {
				return fmt.Errorf("client %s asks for it: %w", c.ID, ErrConflict)
			}
		}
		ended, err := changeOne(tx, `UPDATE keys SET state = 'retired', retired_at = ?, gone_at = ? + longest_life + ? WHERE line = ? AND state = 'active'`,
			At(by.At), At(by.At), margin.Milliseconds(), line)
		if err != nil {
			return err
		}
		if !ended {
			return ErrNotFound
		}
		if err := tx.Exec(`UPDATE keys SET state = 'gone', gone_at = ?, `+clearPrivateKey+` WHERE line = ? AND state = 'next'`, At(by.At), externalMarker, emptyBytes, line).Error; err != nil {
			return err
		}
		if err := record(tx, Event{Type: KeyLineRetired, Outcome: Succeeded, From: by.From, Detail: map[string]any{"line": line}}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// ClampKeyTimes sets times of keys that lie after at to at. A fast clock wrote them; they would
// keep a line from rotating and a retired key from leaving the JWKS. It moves the change
// counter.
func (db *DB) ClampKeyTimes(ctx context.Context, margin time.Duration, at time.Time) error {
	now := At(at)
	return db.writeKeys(ctx, "clamp key times", func(tx *gorm.DB) error {
		for _, set := range []string{
			`UPDATE keys SET created_at = ? WHERE created_at > ?`,
			`UPDATE keys SET activated_at = ? WHERE activated_at > ?`,
			`UPDATE keys SET revoked_at = ? WHERE revoked_at > ?`,
			`UPDATE keys SET gone_at = ? WHERE gone_at > ? AND state = 'gone'`,
			`UPDATE keys SET retired_at = ? WHERE retired_at > ? AND state <> 'retired'`,
		} {
			if err := tx.Exec(set, now, now).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec(`UPDATE keys SET retired_at = ?, gone_at = ? + longest_life + ? WHERE retired_at > ? AND state = 'retired'`,
			now, now, margin.Milliseconds(), now).Error; err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
}

// RewrapKeys seals private halves again, all of them or none, and returns the number of changed
// keys. seal returns the new sealed key, or nil to keep the old one; it may be called twice for
// a key. It increments the change counter. It records the event key.rewrapped.
func (db *DB) RewrapKeys(ctx context.Context, seal func(Key) ([]byte, error), by By) (int, error) {
	done := 0
	err := db.writeKeys(ctx, "rewrap keys", func(tx *gorm.DB) error {
		done = 0
		var list []Key
		if err := tx.Order("created_at, id").Find(&list).Error; err != nil {
			return err
		}
		for _, k := range list {
			sealed, err := seal(k)
			if err != nil {
				return fmt.Errorf("%w: %w", errCheckFailed, err)
			}
			if sealed == nil {
				continue
			}
			if err := tx.Exec(`UPDATE keys SET sealed = ? WHERE id = ?`, sealed, k.ID).Error; err != nil {
				return err
			}
			done++
		}
		if done == 0 {
			return nil
		}
		if err := record(tx, Event{Type: KeysRewrapped, Outcome: Succeeded, From: by.From, Detail: map[string]any{"keys": done}}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
	return done, err
}
