package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

func TestTakeLease_OneHolderAtATime(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		handles := []*storage.DB{w.DB, w.backend.Open(t)}
		won := make([]bool, 20)
		for _, err := range together(len(won), func(i int) (err error) {
			won[i], err = handles[i%2].TakeLease(t.Context(), "keys", string(rune('a'+i)), time.Minute, noon)
			return err
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		holder := ""
		for i, taken := range won {
			if taken {
				holder += string(rune('a' + i))
			}
		}
		if len(holder) != 1 {
			t.Fatalf("%d holders (%q), want 1", len(holder), holder)
		}
		for _, step := range []struct {
			what, holder string
			at           time.Duration
			want         bool
		}{
			{"renewed by its holder", holder, 30 * time.Second, true},
			{"by another node during the lease", "other", 89 * time.Second, false},
			{"by another node whose clock is a millisecond behind", "other", 30*time.Second - time.Millisecond, false},
			{"by another node whose clock is half a minute behind", "other", 0, false},
			{"by another node after the lease", "other", 90 * time.Second, true},
			{"by the former holder", holder, 91 * time.Second, false},
			{"by a clock that is a year ahead", "other", 365 * 24 * time.Hour, true},
			{"after that clock was set back", holder, 2 * time.Minute, true},
		} {
			if got, err := w.TakeLease(t.Context(), "keys", step.holder, time.Minute, noon.Add(step.at)); err != nil || got != step.want {
				t.Errorf("%s: got %t, %v; want %t", step.what, got, err, step.want)
			}
		}
		if err := w.ReturnLease(t.Context(), "keys", "other"); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.TakeLease(t.Context(), "keys", "other", time.Minute, noon.Add(2*time.Minute)); got {
			t.Error("a node that does not hold the lease returned it")
		}
		if err := w.ReturnLease(t.Context(), "keys", holder); err != nil {
			t.Fatal(err)
		}
		if got, err := w.TakeLease(t.Context(), "keys", "other", time.Minute, noon.Add(2*time.Minute)); err != nil || !got {
			t.Errorf("take a returned lease: got %t, %v", got, err)
		}
	})
}
