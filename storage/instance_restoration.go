package storage

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// MarkRestored makes a database that was restored from a backup safe to use. It ends every
// session and grant, and deletes pushed requests, device codes, setup links and emergency
// links. It gives up the mails that are not delivered. This is necessary because the backup does not contain later revocations and uses of
// codes, and users may hold tokens that it does not know. Clients get logout notices for the
// sessions; see QueueEndedLogouts. Users, clients, keys and consents stay. It increments the
// change counter. It records the event instance.restored.
//
// It returns the moment up to which everything has ended. This is the end of the current second,
// because tokens contain times in whole seconds.
func (db *DB) MarkRestored(ctx context.Context, by By) (Millis, error) {
	until := At(by.At.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	err := db.write(ctx, "mark as restored", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		if err := endInstance(tx, until, by.At); err != nil {
			return err
		}
		// The database is not in use, so the statements may scan its tables.
		if err := endLaterRows(tx, until, "restored", by.At); err != nil {
			return err
		}
		if err := giveUpMails(tx, "restored", by.At); err != nil {
			return err
		}
		if err := record(tx, Event{Type: InstanceRestored, Outcome: Succeeded, From: by.From}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
	return until, err
}
