package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// forwardingWorld is a world whose acts queue their events for a webhook.
func eachForwardingWorld(t *testing.T, types []storage.EventType, run func(t *testing.T, w *world)) {
	eachWorld(t, func(t *testing.T, w *world) {
		config := w.backend.Config()
		config.Forwarding = storage.Forwarding{On: true, Types: types}
		db, err := storage.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		w.DB.Close()
		w.DB = db
		run(t, w)
	})
}

// An event and its row for the webhook are written together, or neither is.
func TestForwarding_QueuesEachEventInItsTransaction(t *testing.T) {
	eachForwardingWorld(t, nil, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		if err := w.SetClientEnabled(t.Context(), w.client.ID, false, by); err != nil {
			t.Fatal(err)
		}
		if got := w.count(t, `event_deliveries d JOIN events e ON e.id = d.event_id WHERE e.type = 'client.disabled'`); got != 1 || w.count(t, "event_deliveries") != 1 {
			t.Errorf("%d rows for the event", got)
		}
		refused := errors.New("refused")
		_, err := w.ReviseClient(t.Context(), w.client.ID, func(*storage.Client) error { return refused }, by)
		wantError(t, "revise", err, refused)
		if got := w.count(t, "event_deliveries"); got != 1 {
			t.Errorf("%d rows after an act that failed, want 1", got)
		}
	})
}

// An event that is merged into an earlier one is not sent: the earlier one was.
func TestForwarding_QueuesMergedEventsOnce(t *testing.T) {
	eachForwardingWorld(t, nil, func(t *testing.T, w *world) {
		for range 3 {
			e := storage.Event{Type: storage.UserSignInFailed, Outcome: storage.Refused, UserID: w.user.ID}
			if err := w.RecordEvent(t.Context(), e, noon.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.count(t, "event_deliveries"); got != 1 {
			t.Errorf("%d rows, want 1", got)
		}
	})
}

func TestForwarding_QueuesOnlyTheChosenTypes(t *testing.T) {
	eachForwardingWorld(t, []storage.EventType{storage.ClientDisabled, storage.WebhookFailed}, func(t *testing.T, w *world) {
		for _, kind := range []storage.EventType{storage.KeyAlarm, storage.WebhookFailed, storage.ClientDisabled} { // webhook.failed never
			if err := w.RecordEvent(t.Context(), storage.Event{Type: kind}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.count(t, `event_deliveries d JOIN events e ON e.id = d.event_id WHERE e.type = 'client.disabled'`); got != 1 || w.count(t, "event_deliveries") != 1 {
			t.Errorf("%d rows", w.count(t, "event_deliveries"))
		}
	})
}

// Without a webhook, an event costs no further statement.
func TestForwarding_WithoutAWebhookNothingIsQueued(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.RecordEvent(t.Context(), storage.Event{Type: storage.KeyAlarm}, noon); err != nil {
			t.Fatal(err)
		}
		if got := w.count(t, "event_deliveries"); got != 0 {
			t.Errorf("%d rows, want 0", got)
		}
	})
}

// The event of a deleted user reaches the webhook without the user's values.
func TestClaimDeliveries_HasNoValuesOfDeletedUsers(t *testing.T) {
	eachForwardingWorld(t, []storage.EventType{storage.UserUpdated}, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		if err := w.UpdateProfile(t.Context(), w.user.ID, storage.Profile{Name: "Ada"}, by); err != nil {
			t.Fatal(err)
		}
		if err := w.DeleteUser(t.Context(), w.user.ID, by); err != nil {
			t.Fatal(err)
		}
		claimed, err := w.ClaimDeliveries(t.Context(), 10, time.Minute, noon)
		if err != nil || len(claimed) != 1 || claimed[0].Event.Type != storage.UserUpdated || len(claimed[0].Event.Detail) != 0 {
			t.Errorf("%+v, %v", claimed, err)
		}
	})
}

// A result counts only for the claim that it belongs to.
func TestSettleDeliveries_IgnoresAnOldClaim(t *testing.T) {
	eachForwardingWorld(t, nil, func(t *testing.T, w *world) {
		if err := w.RecordEvent(t.Context(), storage.Event{Type: storage.KeyAlarm}, noon); err != nil {
			t.Fatal(err)
		}
		claim := func(at time.Time) storage.EventDelivery {
			t.Helper()
			claimed, err := w.ClaimDeliveries(t.Context(), 10, time.Minute, at)
			if err != nil || len(claimed) != 1 {
				t.Fatalf("%d events, %v", len(claimed), err)
			}
			return claimed[0]
		}
		old := claim(noon)
		current := claim(noon.Add(time.Minute))
		for _, r := range []storage.DeliveryResult{{Delivery: old}, {Delivery: old, Error: "timeout"}, {Delivery: old, Error: "timeout", RetryAt: noon}} {
			if err := w.SettleDeliveries(t.Context(), []storage.DeliveryResult{r}, noon.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.count(t, `event_deliveries WHERE tries = ? AND leased_until = ? AND given_up_at = 0`, current.Tries, current.LeasedUntil); got != 1 {
			t.Errorf("an old claim changed the row: %d", got)
		}
		if err := w.SettleDeliveries(t.Context(), []storage.DeliveryResult{{Delivery: current}}, noon.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := w.count(t, "event_deliveries"); got != 0 {
			t.Errorf("%d rows after the delivery", got)
		}
	})
}
