package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func TestEvents_EachFilterNarrows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		since := noon.Add(time.Hour)
		base := storage.Event{Type: storage.TokenRevoked, Outcome: storage.Succeeded, UserID: "usr_1", ClientID: "c1", Reason: "wanted"}
		other := func(change func(*storage.Event)) storage.Event {
			e := base
			e.Reason = "unwanted"
			change(&e)
			return e
		}
		for _, e := range []storage.Event{
			base,
			other(func(e *storage.Event) { e.Type = storage.GrantRevoked }),
			other(func(e *storage.Event) { e.Outcome = storage.Refused }),
			other(func(e *storage.Event) { e.UserID = "usr_2" }),
			other(func(e *storage.Event) { e.ClientID = "c2" }),
		} {
			if err := w.RecordEvent(t.Context(), e, since); err != nil {
				t.Fatal(err)
			}
		}
		early := other(func(*storage.Event) {})
		if err := w.RecordEvent(t.Context(), early, since.Add(-time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		all := storage.EventFilter{Type: base.Type, UserID: base.UserID, ClientID: base.ClientID, Outcome: base.Outcome, Since: since}
		for what, widen := range map[string]func(*storage.EventFilter){
			"type":    func(f *storage.EventFilter) { f.Type = "" },
			"user":    func(f *storage.EventFilter) { f.UserID = "" },
			"client":  func(f *storage.EventFilter) { f.ClientID = "" },
			"outcome": func(f *storage.EventFilter) { f.Outcome = "" },
			"since":   func(f *storage.EventFilter) { f.Since = time.Time{} },
		} {
			wider := all
			widen(&wider)
			if list, err := w.Events(t.Context(), wider, 10); err != nil || len(list) != 2 {
				t.Errorf("without %s: %d events, %v; want 2", what, len(list), err)
			}
		}
		list, err := w.Events(t.Context(), all, 10)
		if err != nil || len(list) != 1 || list[0].Reason != "wanted" {
			t.Errorf("with all filters: %+v, %v; want one event", list, err)
		}
	})
}

func TestEvents_PagesMissNoEventWhileOthersAreRecorded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		note := func(reason string, at time.Time) {
			if err := w.RecordEvent(t.Context(), storage.Event{Type: storage.KeyAlarm, Reason: reason, UserID: "usr_1"}, at); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for i := range 7 { // three events in each millisecond: a page ends between equal times
			reason := fmt.Sprintf("r%d", i)
			want = append(want, reason)
			note(reason, noon.Add(time.Duration(i/3)*time.Millisecond))
		}
		slices.Reverse(want)
		var got []string
		f := storage.EventFilter{UserID: "usr_1"}
		for {
			page, err := w.Events(t.Context(), f, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				got = append(got, e.Reason)
			}
			f.Before = page[len(page)-1]
			note("later", noon.Add(time.Second))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
