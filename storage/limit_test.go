package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

func TestReserve_CountsToTheLimitAndRollsOver(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "acct:a", Max: 3, Window: 15 * time.Minute}}
		for i := range 3 {
			if _, err := w.Reserve(t.Context(), limit, noon.Add(time.Duration(i)*time.Minute)); err != nil {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		_, err := w.Reserve(t.Context(), limit, noon.Add(5*time.Minute))
		var throttled *storage.ThrottledError
		if !errors.As(err, &throttled) || throttled.RetryAfter != 10*time.Minute {
			t.Fatalf("got %v, want a ThrottledError with RetryAfter 10 minutes", err)
		}
		if _, err := w.Reserve(t.Context(), limit, noon.Add(15*time.Minute)); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

func TestReserve_AllOrNone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		both := []storage.Limit{{Key: "a", Max: 10, Window: time.Minute}, {Key: "z", Max: 1, Window: time.Minute}}
		alone := both[:1]
		if _, err := w.Reserve(t.Context(), both, noon); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			var throttled *storage.ThrottledError
			if _, err := w.Reserve(t.Context(), both, noon); !errors.As(err, &throttled) {
				t.Fatalf("got %v, want a ThrottledError", err)
			}
		}
		for i := range 9 {
			if _, err := w.Reserve(t.Context(), alone, noon); err != nil {
				t.Fatalf("attempt %d: %v: a refused attempt was counted", i, err)
			}
		}
	})
}

// PW-06: parallel guesses are counted before they are hashed. Each attempt carries the
// time of its own node, so attempts do not arrive in the order of their times.
func TestReserve_ParallelAttemptsNeverExceedTheLimit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		handles := []*storage.DB{w.DB, w.backend.Open(t)}
		results := together(50, func(i int) error {
			_, err := handles[i%2].Reserve(t.Context(), []storage.Limit{
				{Key: "net:192.0.2.1", Max: 100, Window: time.Minute}, {Key: "acct:a", Max: 20, Window: time.Minute},
			}, noon.Add(-time.Duration(i)*time.Second))
			return err
		})
		allowed, refused := 0, 0
		for _, err := range results {
			var throttled *storage.ThrottledError
			switch {
			case err == nil:
				allowed++
			case errors.As(err, &throttled):
				refused++
			default:
				t.Errorf("unexpected: %v", err)
			}
		}
		if allowed != 20 || refused != 30 {
			t.Errorf("%d allowed, %d refused: want 20 and 30", allowed, refused)
		}
	})
}

func TestGiveBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "a b", Max: 1, Window: time.Minute}}
		reserve := func(at time.Time) storage.Reservation {
			t.Helper()
			r, err := w.Reserve(t.Context(), limit, at)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		giveBack := func(r storage.Reservation) {
			t.Helper()
			if err := w.GiveBack(t.Context(), r, noon); err != nil {
				t.Fatal(err)
			}
		}
		first := reserve(noon)
		giveBack(first)
		reserve(noon)
		giveBack(storage.Reservation{})
		next := noon.Add(time.Minute)
		reserve(next)
		giveBack(first) // the reservation is of an earlier window, so the count of this window stays
		var throttled *storage.ThrottledError
		if _, err := w.Reserve(t.Context(), limit, next); !errors.As(err, &throttled) {
			t.Errorf("got %v, want a ThrottledError", err)
		}
	})
}

// ST-11: a count whose window lies a day in the future does not block attempts of now.
func TestReserve_ClockSetBackDoesNotLockOutForLonger(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "a", Max: 1, Window: time.Minute}}
		if _, err := w.Reserve(t.Context(), limit, noon.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reserve(t.Context(), limit, noon); err != nil {
			t.Errorf("a day before the window: %v", err)
		}
		var throttled *storage.ThrottledError
		if _, err := w.Reserve(t.Context(), limit, noon); !errors.As(err, &throttled) {
			t.Errorf("got %v, want a ThrottledError", err)
		}
	})
}

// PW-06: an attempt with a slightly earlier time counts in the current window. Clocks
// of nodes differ by seconds, and parallel attempts are not counted in order of time.
func TestReserve_AttemptsTimedEarlierBeginNoNewWindow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "a", Max: 20, Window: 15 * time.Minute}}
		for i := range 20 {
			if _, err := w.Reserve(t.Context(), limit, noon.Add(-time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		earlier := noon.Add(-20 * time.Second)
		var throttled *storage.ThrottledError
		if _, err := w.Reserve(t.Context(), limit, earlier); !errors.As(err, &throttled) {
			t.Errorf("reserve: got %v, want a ThrottledError", err)
		}
		if err := w.CountFailure(t.Context(), limit, storage.Event{}, earlier); !errors.As(err, &throttled) {
			t.Errorf("count failure: got %v, want a ThrottledError", err)
		}
	})
}
