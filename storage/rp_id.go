package storage

import (
	"cmp"
	"context"
	"fmt"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrOtherRPID: the passkeys of the instance belong to another RP ID. *RPIDError has the numbers.
var ErrOtherRPID = engine.NewVerdict("the passkeys belong to another RP ID")

// unknownRPID stands for the RP ID of passkeys that an earlier program added, if it is not known
// when the instance gets another one. It is no host that exists (RFC 2606, section 2).
const unknownRPID = "unknown.invalid"

// ofOwnHost is the condition that a credential with this alias can be used: it belongs to the RP ID
// of the instance. It is true for passwords, apps and codes. Each condition on the passkeys or
// security keys that a user has contains it.
func ofOwnHost(alias string) string {
	return alias + `.rp_id IN ('', (SELECT host.rp_id FROM instance host WHERE host.id = 1))`
}

// BelongsTo reports whether the passkey can be used at an issuer with this RP ID. No passkey can be
// used where none are offered (rpID is "").
func (p Passkey) BelongsTo(rpID string) bool { return rpID != "" && (p.RPID == "" || p.RPID == rpID) }

// PasskeyHost is the RP ID of the instance, and the numbers of its passkeys and security keys.
type PasskeyHost struct {
	RPID      string // "": no passkey was added yet, or the RP ID is not known
	Passkeys  int64  // that belong to RPID
	Users     int64  // who have them
	Lost      int64  // passkeys of other RP IDs: nobody can use them
	LostUsers int64
}

// Check returns *RPIDError if passkeys could not be used any more with another RP ID. rpID is "" if
// no passkeys are offered.
func (h PasskeyHost) Check(rpID string) error {
	// If the RP ID is not known, the passkeys are those of the present issuer.
	if h.Passkeys == 0 || h.RPID == rpID && rpID != "" || h.RPID == "" && rpID != "" {
		return nil
	}
	return &RPIDError{Host: h, RPID: rpID}
}

// RPIDError refuses an RP ID with which passkeys could not be used any more.
type RPIDError struct {
	Host PasskeyHost
	RPID string // the refused one; "": passkeys are not offered
}

// Error says how many passkeys of how many users could not be used.
func (e *RPIDError) Error() string {
	what := "at " + e.RPID
	if e.RPID == "" {
		what = "at this issuer, which has no host name with HTTPS"
	}
	verb := "belong"
	if e.Host.Passkeys == 1 {
		verb = "belongs"
	}
	return fmt.Sprintf("%s of %s %s to %s and could not be used %s",
		counted(e.Host.Passkeys, "passkey"), counted(e.Host.Users, "user"), verb, cmp.Or(e.Host.RPID, "another address"), what)
}

// Unwrap returns ErrOtherRPID.
func (e *RPIDError) Unwrap() error { return ErrOtherRPID }

// counted returns a number with its noun.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// PasskeyHost reads the RP ID of the instance and counts the passkeys. It reads all of them.
func (db *DB) PasskeyHost(ctx context.Context) (PasskeyHost, error) {
	var h PasskeyHost
	err := db.read(ctx, "count passkeys", func(q *gorm.DB) (err error) {
		h, err = passkeyHost(q)
		return err
	})
	return h, err
}

// ReadPasskeyHost is DB.PasskeyHost for a database that is not open; it changes nothing. The result
// is zero if there is no database.
func ReadPasskeyHost(ctx context.Context, c Config) (PasskeyHost, error) {
	var h PasskeyHost
	err := engine.Inspect(ctx, c.engineConfig(), func(q *gorm.DB) (err error) {
		h, err = passkeyHost(q)
		return err
	})
	return h, err
}

func passkeyHost(q *gorm.DB) (PasskeyHost, error) {
	var h PasskeyHost
	own := ofOwnHost("c")
	err := q.Raw(`SELECT i.rp_id,
			(SELECT COUNT(*) FROM credentials c WHERE c.handle <> '' AND ` + own + `) AS passkeys,
			(SELECT COUNT(DISTINCT c.user_id) FROM credentials c WHERE c.handle <> '' AND ` + own + `) AS users,
			(SELECT COUNT(*) FROM credentials c WHERE c.handle <> '' AND NOT ` + own + `) AS lost,
			(SELECT COUNT(DISTINCT c.user_id) FROM credentials c WHERE c.handle <> '' AND NOT ` + own + `) AS lost_users
		FROM instance i WHERE i.id = 1`).Scan(&h).Error
	return h, err
}

// CheckRPID compares the RP ID of the settings with that of the instance; "" means that passkeys are
// not offered. If no passkey would be lost, the instance gets the RP ID of the settings. Every node
// calls it when it starts.
//
// *RPIDError: passkeys would be lost. Nothing was changed.
func (db *DB) CheckRPID(ctx context.Context, rpID string) error {
	var bound string
	err := db.read(ctx, "read RP ID", func(q *gorm.DB) error {
		return q.Raw(`SELECT rp_id FROM instance WHERE id = 1`).Scan(&bound).Error
	})
	if err != nil || bound == rpID && rpID != "" {
		return err
	}
	host, err := db.PasskeyHost(ctx)
	switch {
	case err != nil:
		return err
	case host.RPID == "" && host.Passkeys == 0 && (host.Lost == 0 || rpID == ""):
		return nil // the first passkey stores the RP ID
	}
	return db.write(ctx, "store RP ID", func(tx *gorm.DB) error {
		_, err := db.moveRPID(tx, rpID, func(h PasskeyHost) error { return h.Check(rpID) })
		return err
	})
}

// ReplaceRPID makes rpID the RP ID of the instance, although passkeys are lost by it: nobody can use
// them as long as the instance has another RP ID. It returns the state before. "" means that
// passkeys are not offered. From then on, earlier programs cannot open the database: they would
// count the lost passkeys as ways to sign in. It records the event
// instance.rp_id_changed if passkeys are lost.
func (db *DB) ReplaceRPID(ctx context.Context, rpID string, by By) (PasskeyHost, error) {
	var before PasskeyHost
	err := db.write(ctx, "change RP ID", func(tx *gorm.DB) error {
		var err error
		if before, err = db.moveRPID(tx, rpID, func(PasskeyHost) error { return nil }); err != nil || before.Check(rpID) == nil {
			return err
		}
		if err := requireProgram(tx, programWithRPIDs); err != nil {
			return err
		}
		return record(tx, Event{
			Type: InstanceRPIDChanged, Outcome: Succeeded, From: by.From,
			Detail: map[string]any{"from": before.RPID, "to": rpID, "passkeys": before.Passkeys, "users": before.Users},
		}, by.At)
	})
	if err != nil {
		return PasskeyHost{}, err
	}
	return before, nil
}

// programWithRPIDs is the number of the migration that came with RP IDs.
const programWithRPIDs = 17

// moveRPID stores another RP ID of the instance, unless check refuses. It returns the state before.
func (db *DB) moveRPID(tx *gorm.DB, rpID string, check func(PasskeyHost) error) (PasskeyHost, error) {
	if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
		return PasskeyHost{}, err
	}
	before, err := passkeyHost(tx)
	if err != nil || before.RPID == rpID && rpID != "" {
		return before, err
	}
	if err := check(before); err != nil {
		return before, err
	}
	if before.RPID != "" || rpID == "" {
		// '' would mean the new RP ID from now on.
		for _, table := range []string{"credentials", "former_credentials"} {
			err := tx.Exec(fmt.Sprintf(`UPDATE %s SET rp_id = ? WHERE handle <> '' AND rp_id = ''`, table), cmp.Or(before.RPID, unknownRPID)).Error
			if err != nil {
				return before, err
			}
		}
	}
	return before, tx.Exec(`UPDATE instance SET rp_id = ? WHERE id = 1`, rpID).Error
}

// bindRPID checks in the transaction of a new passkey that it belongs to the RP ID of the instance.
// The first passkey of the instance stores it. ErrOtherRPID.
func bindRPID(tx *gorm.DB, rpID string) error {
	var bound string
	if err := tx.Raw(`SELECT rp_id FROM instance WHERE id = 1`).Scan(&bound).Error; err != nil || bound == rpID {
		return err
	}
	stored, err := changeOne(tx, `UPDATE instance SET rp_id = ? WHERE id = 1 AND rp_id IN ('', ?)`, rpID, rpID)
	if err == nil && !stored {
		err = ErrOtherRPID
	}
	return err
}
