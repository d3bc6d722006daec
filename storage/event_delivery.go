package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Forwarding selects the events that are sent to the webhook of the settings. The zero value selects
// none, and then an event costs no further statement.
type Forwarding struct {
	On    bool
	Types []EventType // empty: all types
}

// forwardingKey is the key of the Forwarding in the context of a transaction.
type forwardingKey struct{}

// around returns run with the Forwarding in the context of its transaction.
func (f Forwarding) around(run engine.UseCase) engine.UseCase {
	if !f.On {
		return run
	}
	return func(tx *gorm.DB) error {
		return run(tx.WithContext(context.WithValue(tx.Statement.Context, forwardingKey{}, f)))
	}
}

// selects reports whether events of the type are sent. webhook.failed is never sent: if the webhook
// fails, each of these events would cause the next one.
func (f Forwarding) selects(kind EventType) bool {
	return f.On && kind != WebhookFailed && (len(f.Types) == 0 || slices.Contains(f.Types, kind))
}

// forward queues an event for the webhook in the transaction of the event. An event that was merged into
// an earlier row has no row of its own, and is not sent: the earlier one was.
func forward(tx *gorm.DB, id string, kind EventType, at time.Time) error {
	f, _ := tx.Statement.Context.Value(forwardingKey{}).(Forwarding)
	if !f.selects(kind) {
		return nil
	}
	_, err := queueDelivery.Exec(tx, At(at), At(at), id)
	return err
}

var queueDelivery = engine.NewStatement(`INSERT INTO event_deliveries (event_id, due_at, created_at)
	SELECT id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM events WHERE id = ? ON CONFLICT (event_id) DO NOTHING`)

// EventDelivery is an event that the webhook does not have yet.
type EventDelivery struct {
	EventID     string
	Tries       int64 // attempts that have begun
	LeasedUntil Millis
	Event       Event `gorm:"-"` // zero: the event is deleted
}

// ClaimDeliveries takes at most limit events that are due for the webhook, the longest due first. Each
// goes to one node only. If that node does not settle it, it is due again when the lease ends. If none is
// due, nothing is written.
func (db *DB) ClaimDeliveries(ctx context.Context, limit int, lease time.Duration, at time.Time) (claimed []EventDelivery, err error) {
	const due = `given_up_at = 0 AND due_at <= ? AND (leased_until <= ? OR leased_until > ?)`
	// A lease that ends later was taken under a fast clock, and counts as over.
	now, tooLate := At(at), At(at.Add(2*lease))
	var ids []string
	err = db.read(ctx, "look for due events", func(q *gorm.DB) error {
		return q.Raw(`SELECT event_id FROM event_deliveries WHERE `+due+` ORDER BY due_at, event_id LIMIT ?`, now, now, tooLate, limit).Scan(&ids).Error
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var events []Event
	err = db.write(ctx, "claim events", func(tx *gorm.DB) error {
		claimed, events = nil, nil
		err := tx.Raw(`UPDATE event_deliveries SET tries = tries + 1, leased_until = ? WHERE event_id IN ? AND `+due+`
			RETURNING event_id, tries, leased_until`, At(at.Add(lease)), ids, now, now, tooLate).Scan(&claimed).Error
		if err != nil {
			return err
		}
		return tx.Where("id IN ?", ids).Find(&events).Error
	})
	if err != nil {
		return nil, err
	}
	byID := map[string]Event{}
	for _, e := range events {
		byID[e.ID] = e
	}
	for i := range claimed {
		claimed[i].Event = byID[claimed[i].EventID]
	}
	slices.SortFunc(claimed, func(a, b EventDelivery) int { return slices.Index(ids, a.EventID) - slices.Index(ids, b.EventID) })
	return claimed, nil
}

// DeliveryResult is the result of one attempt to send an event.
type DeliveryResult struct {
	Delivery EventDelivery
	Error    string    // a stable code; "": the webhook has the event
	RetryAt  time.Time // when to try again after an error; zero: never
	NotTried bool      // the attempt was not made, and does not count
}

// SettleDeliveries stores the results of claimed events. A result is ignored if the lease has ended and
// another node has taken the event. If events are given up, it records one event webhook.failed.
func (db *DB) SettleDeliveries(ctx context.Context, results []DeliveryResult, at time.Time) error {
	if len(results) == 0 {
		return nil
	}
	return db.write(ctx, "settle events", func(tx *gorm.DB) error {
		var givenUp []string
		reason := ""
		for _, r := range results {
			settled, err := r.settle(tx, at)
			if err != nil {
				return err
			}
			if settled && r.Error != "" && r.RetryAt.IsZero() {
				givenUp, reason = append(givenUp, r.Delivery.EventID), r.Error
			}
		}
		if len(givenUp) == 0 {
			return nil
		}
		return record(tx, Event{
			Type: WebhookFailed, Outcome: Refused, Reason: reason, From: Origin{Actor: ActorSystem}, Detail: map[string]any{"events": givenUp},
		}, at)
	})
}

// settle stores the result, and reports whether the event was still claimed.
func (r DeliveryResult) settle(tx *gorm.DB, at time.Time) (bool, error) {
	const claimed = ` WHERE event_id = ? AND tries = ? AND leased_until = ?`
	d, code := r.Delivery, cleanText(r.Error, longestName)
	switch {
	case r.Error == "":
		return changeOne(tx, `DELETE FROM event_deliveries`+claimed, d.EventID, d.Tries, d.LeasedUntil)
	case r.RetryAt.IsZero():
		return changeOne(tx, `UPDATE event_deliveries SET given_up_at = ?, leased_until = 0, last_error = ?`+claimed, At(at), code, d.EventID, d.Tries, d.LeasedUntil)
	case r.NotTried:
		return changeOne(tx, `UPDATE event_deliveries SET due_at = ?, leased_until = 0, tries = tries - 1`+claimed, At(r.RetryAt), d.EventID, d.Tries, d.LeasedUntil)
	}
	return changeOne(tx, `UPDATE event_deliveries SET due_at = ?, leased_until = 0, last_error = ?`+claimed, At(r.RetryAt), code, d.EventID, d.Tries, d.LeasedUntil)
}

// ResendEvents queues events for the webhook as if they were new, whether or not it has them. It records
// the event webhook.resent. ErrNotFound: one of the events does not exist; then nothing is queued.
func (db *DB) ResendEvents(ctx context.Context, ids []string, by By) error {
	if err := refuseImpossible(ids...); err != nil {
		return fmt.Errorf("resend events: %w", err)
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return db.write(ctx, "resend events", func(tx *gorm.DB) error {
		queued := tx.Exec(`INSERT INTO event_deliveries (event_id, due_at, created_at) SELECT id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM events WHERE id IN ?
			ON CONFLICT (event_id) DO UPDATE SET due_at = excluded.due_at, created_at = excluded.created_at, tries = 0, leased_until = 0, given_up_at = 0, last_error = ''`,
			At(by.At), At(by.At), ids)
		if queued.Error != nil {
			return queued.Error
		}
		if queued.RowsAffected != int64(len(ids)) {
			return ErrNotFound
		}
		return record(tx, Event{Type: WebhookResent, Outcome: Succeeded, From: by.From, Detail: map[string]any{"events": ids}}, by.At)
	})
}
