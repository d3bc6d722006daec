package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// KeyRotation moves one line on by one key.
type KeyRotation struct {
	Line   string
	Active string        // kid of the key that signs; "" if none does
	Next   Key           // becomes active; as it was read
	Fresh  Key           // becomes next
	Life   time.Duration // the longest of what Next will sign
	Margin time.Duration // how much longer than its last token a retired key stays
}

// clearPrivateKey erases the sealed private half of a key that goes out of use, unless the
// private half is outside the database: then the reference stays until ClearKeyReference. Its
// parameters are elsewhere and nothing.
const clearPrivateKey = `sealed = CASE WHEN substr(sealed, 1, 1) = ? THEN sealed ELSE ? END`

var elsewhere, nothing = []byte{ExternalKeyMarker}, []byte{}

// writeKeys runs a use case that changes keys. They are decided one at a time: what
// one reads no other changes before it ends.
func (db *DB) writeKeys(ctx context.Context, name string, run engine.UseCase) error {
	return db.write(ctx, name, func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		return run(tx)
	})
}

// RotateKeys moves lines on, all of them or none: next becomes active, active
// becomes retired until its last token is dead, and a fresh key becomes next.
// Of several that want to, the one wins whose next key still is what it read.
// Moves the change counter. Event key.rotated, one per line.
//
// ErrConflict: another rotation, a revocation or a rewrap was first; nothing was
// changed.
func (db *DB) RotateKeys(ctx context.Context, lines []KeyRotation, by By) error {
	return db.writeKeys(ctx, "rotate keys", func(tx *gorm.DB) error {
		for _, r := range lines {
			if err := rotateLine(tx, r, by); err != nil {
				return err
			}
		}
		return noteChange(tx)
	})
}

func rotateLine(tx *gorm.DB, r KeyRotation, by By) error {
	if r.Active != "" {
		retired, err := changed(tx, `UPDATE keys SET state = 'retired', retired_at = ?, gone_at = ? + longest_life + ?
			WHERE id = ? AND line = ? AND state = 'active'`, At(by.At), At(by.At), r.Margin.Milliseconds(), r.Active, r.Line)
		if err != nil {
			return err
		}
		if !retired {
			return ErrConflict
		}
	}
	if err := promote(tx, r.Next, r.Life, by.At); err != nil {
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

// promote makes a next key active if it still is what was read, the seal of its
// private half included. ErrConflict.
func promote(tx *gorm.DB, next Key, life time.Duration, at time.Time) error {
	won, err := changed(tx, `UPDATE keys SET state = 'active', activated_at = ?, longest_life = ?
		WHERE id = ? AND line = ? AND state = 'next' AND sealed = ?`,
		At(at), life.Milliseconds(), next.ID, next.Line, next.Sealed)
	if err == nil && !won {
		err = ErrConflict
	}
	return err
}

// KeyRevocation takes a key out of use at once.
type KeyRevocation struct {
	Key     Key    // as it was read
	Reason  string // an operator's words
	Promote *Key   // of an active key: the next one, which signs from now on; as it was read
	Fresh   []Key  // keys that take the empty places
	Life    time.Duration
}

// RevokeKey makes everything that a key signed or sealed invalid, destroys its
// private half and fills its place. Moves the change counter. Event key.revoked.
//
// ErrConflict: the key or its successor is no longer what was read; nothing was
// changed.
func (db *DB) RevokeKey(ctx context.Context, r KeyRevocation, by By) error {
	return db.writeKeys(ctx, "revoke key", func(tx *gorm.DB) error {
		won, err := changed(tx, `UPDATE keys SET state = 'revoked', revoked_at = ?, revoke_reason = ?, `+clearPrivateKey+`
			WHERE id = ? AND state = ?`, At(by.At), cleanText(r.Reason, longestName), elsewhere, nothing, r.Key.ID, r.Key.State)
		if err != nil {
			return err
		}
		if !won {
			return ErrConflict
		}
		detail := map[string]any{"kid": r.Key.ID, "line": r.Key.Line, "state": string(r.Key.State), "reason": r.Reason}
		if r.Promote != nil {
			if err := promote(tx, *r.Promote, r.Life, by.At); err != nil {
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
		return noteChange(tx)
	})
}

// AddNextKey gives a line the next key that it lacks. Moves the change counter.
// Event key.created. ErrConflict: it has one.
func (db *DB) AddNextKey(ctx context.Context, k Key, by By) error {
	if err := refuseImpossible(k.ID, k.Line); err != nil {
		return fmt.Errorf("add next key: %w", err)
	}
	if k.State != KeyNext {
		return errors.New("add next key: it is of another state")
	}
	return db.writeKeys(ctx, "add next key", func(tx *gorm.DB) error {
		if err := insertKey(tx, k, by); err != nil {
			return err
		}
		return noteChange(tx)
	})
}

// ClearKeyReference drops the reference of a key that is gone or revoked: its private half is
// destroyed where it was kept. Moves the change counter.
func (db *DB) ClearKeyReference(ctx context.Context, id string) error {
	return db.writeKeys(ctx, "forget key", func(tx *gorm.DB) error {
		forgotten, err := changed(tx, `UPDATE keys SET sealed = ? WHERE id = ? AND state IN ('gone', 'revoked') AND sealed <> ?`, nothing, id, nothing)
		if err != nil || !forgotten {
			return err
		}
		return noteChange(tx)
	})
}

// RaiseLongestLife says how long what an active key signs may live, if that is longer
// than is known. Moves the change counter then.
func (db *DB) RaiseLongestLife(ctx context.Context, id string, life time.Duration) error {
	return db.writeKeys(ctx, "note key life", func(tx *gorm.DB) error {
		longer, err := changed(tx, `UPDATE keys SET longest_life = ? WHERE id = ? AND state = 'active' AND longest_life < ?`,
			life.Milliseconds(), id, life.Milliseconds())
		if err != nil || !longer {
			return err
		}
		return noteChange(tx)
	})
}

// EndExpiredKeys lets go of the retired keys whose time is over: the private half is
// destroyed, the public one stays. A line without an active key keeps what it has,
// unless it was retired.
// Keys that are gone or revoked for longer than keep are deleted. Moves the change
// counter if there were any, and gives their number. Event key.gone, one per key.
func (db *DB) EndExpiredKeys(ctx context.Context, keep time.Duration, by By) (int, error) {
	ended := 0
	err := db.writeKeys(ctx, "end keys", func(tx *gorm.DB) error {
		ended = 0
		var over []Key
		if err := tx.Raw(`SELECT id, line FROM keys WHERE state = 'retired' AND gone_at <= ?
			AND (line IN (SELECT line FROM keys WHERE state = 'active') OR line NOT IN (SELECT line FROM keys WHERE state = 'next')) ORDER BY gone_at, id`, At(by.At)).Scan(&over).Error; err != nil {
			return err
		}
		for _, k := range over {
			won, err := changed(tx, `UPDATE keys SET state = 'gone', gone_at = ?, `+clearPrivateKey+` WHERE id = ? AND state = 'retired'`, At(by.At), elsewhere, nothing, k.ID)
			if err != nil {
				return err
			}
			if !won {
				continue
			}
			ended++
			gone := Event{Type: KeyEnded, Outcome: Succeeded, From: by.From, Detail: map[string]any{"kid": k.ID, "line": k.Line}}
			if err := record(tx, gone, by.At); err != nil {
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
		return noteChange(tx)
	})
	return ended, err
}

// RetireKeyLine ends a line: nothing is signed with it any more. Its active key stays
// published until its last token is dead, its next one, which has signed nothing, is
// destroyed. Moves the change counter. Event key.retired.
//
// ErrNotFound: it has no active key. ErrConflict: an enabled client wants its ID
// tokens signed with it; nothing was changed.
func (db *DB) RetireKeyLine(ctx context.Context, line string, margin time.Duration, by By) error {
	return db.writeKeys(ctx, "retire line", func(tx *gorm.DB) error {
		var clients []Client
		if err := tx.Where("disabled_at = 0").Find(&clients).Error; err != nil {
			return err
		}
		for _, c := range clients {
			if c.Metadata.IDTokenSignedResponseAlg == line {
				return fmt.Errorf("client %s asks for it: %w", c.ID, ErrConflict)
			}
		}
		ended, err := changed(tx, `UPDATE keys SET state = 'retired', retired_at = ?, gone_at = ? + longest_life + ? WHERE line = ? AND state = 'active'`,
			At(by.At), At(by.At), margin.Milliseconds(), line)
		if err != nil {
			return err
		}
		if !ended {
			return ErrNotFound
		}
		if err := tx.Exec(`UPDATE keys SET state = 'gone', gone_at = ?, `+clearPrivateKey+` WHERE line = ? AND state = 'next'`, At(by.At), elsewhere, nothing, line).Error; err != nil {
			return err
		}
		if err := record(tx, Event{Type: KeyLineRetired, Outcome: Succeeded, From: by.From, Detail: map[string]any{"line": line}}, by.At); err != nil {
			return err
		}
		return noteChange(tx)
	})
}

// ClampKeyTimes lets the times of keys that lie ahead of at count from at: they
// were written under a clock that was ahead, and would keep a line from rotating
// and a retired key from going. Moves the change counter.
func (db *DB) ClampKeyTimes(ctx context.Context, margin time.Duration, at time.Time) error {
	now := At(at)
	return db.writeKeys(ctx, "settle key times", func(tx *gorm.DB) error {
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
		return noteChange(tx)
	})
}

// RewrapKeys seals private halves anew. seal gives the new seal of a row, or nil
// for one that stays as it is; it may be called twice for a row. All are changed
// or none; gives the number. Moves the change counter. Event key.rewrapped.
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
				return fmt.Errorf("%w: %w", errChecked, err)
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
		return noteChange(tx)
	})
	return done, err
}
