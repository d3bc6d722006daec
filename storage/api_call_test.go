package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// TestStartCall_OneAttemptActs: of the attempts of one call, only the last that was reserved can act,
// and after an act there is no further one.
func TestStartCall_OneAttemptActs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, until := t.Context(), storage.At(noon.Add(24*time.Hour))
		start := func(attempt string, at time.Time) (storage.APICall, bool) {
			t.Helper()
			have, mayAct, err := w.StartCall(ctx, storage.APICall{ID: "call", Body: "body of " + attempt, Attempt: attempt, ExpiresAt: until}, at)
			if err != nil {
				t.Fatal(err)
			}
			return have, mayAct
		}
		act := func(attempt, email string) error {
			_, err := w.CreateUser(ctx, storage.User{Email: email}, "", storage.By{From: storage.Origin{Attempt: storage.CallAttempt{CallID: "call", Attempt: attempt}}, At: noon})
			return err
		}
		if _, mayAct := start("lost", noon); !mayAct {
			t.Fatal("the first attempt may not act")
		}
		if have, mayAct := start("early", noon.Add(time.Minute)); mayAct || have.Attempt != "lost" || have.ActedAt != 0 {
			t.Errorf("an attempt beside a running one: got %v and %+v", mayAct, have)
		}
		if have, mayAct := start("next", noon.Add(3*time.Minute)); !mayAct || have.Body != "body of next" {
			t.Errorf("an attempt after a lost one: got %v and %+v", mayAct, have)
		}
		if err := act("lost", "lost@example.com"); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("act of the lost attempt: got %v, want ErrConflict", err)
		}
		if n := w.count(t, `users WHERE email = 'lost@example.com'`); n != 0 {
			t.Error("the lost attempt has acted")
		}
		if err := act("next", "next@example.com"); err != nil {
			t.Errorf("act: %v", err)
		}
		if err := w.ReleaseCall(ctx, storage.CallAttempt{CallID: "call", Attempt: "next"}); err != nil {
			t.Error(err)
		}
		if have, mayAct := start("late", noon.Add(time.Hour)); mayAct || have.ActedAt == 0 || have.Answer != "" {
			t.Errorf("an attempt after an act without an answer: got %v and %+v", mayAct, have)
		}
		if err := w.FinishCall(ctx, storage.CallAttempt{CallID: "call", Attempt: "next"}, "sealed", "", noon); err != nil {
			t.Error(err)
		}
		if have, mayAct := start("repeated", noon.Add(time.Hour)); mayAct || have.Answer != "sealed" {
			t.Errorf("a repeated call: got %v and %+v", mayAct, have)
		}
		if _, mayAct := start("tomorrow", noon.Add(24*time.Hour)); !mayAct {
			t.Error("a call a day later may not act")
		}
		if err := w.ReleaseCall(ctx, storage.CallAttempt{CallID: "call", Attempt: "tomorrow"}); err != nil {
			t.Error(err)
		}
		if _, mayAct := start("again", noon.Add(24*time.Hour)); !mayAct {
			t.Error("a released call may not be made again")
		}
	})
}

// TestFinishCall_OfADeletedUser: an answer that comes after the end of its user is not stored.
func TestFinishCall_OfADeletedUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		call := storage.APICall{ID: "call", Attempt: "a", ExpiresAt: storage.At(noon.Add(time.Hour))}
		if _, mayAct, err := w.StartCall(t.Context(), call, noon); err != nil || !mayAct {
			t.Fatal(mayAct, err)
		}
		if err := w.DeleteUser(t.Context(), w.user.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.FinishCall(t.Context(), storage.CallAttempt{CallID: "call", Attempt: "a"}, "sealed", w.user.ID, noon); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `api_calls WHERE answer = '' AND acted_at > 0`); n != 1 {
			t.Error("the answer is stored")
		}
	})
}

// TestStartCall_OfManyOneMayAct: several nodes reserve the same call at once.
func TestStartCall_OfManyOneMayAct(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const nodes = 8
		results := make(chan bool, nodes)
		for range nodes {
			go func() {
				_, mayAct, err := w.StartCall(t.Context(), storage.APICall{ID: "call", Attempt: storage.NewID(""), ExpiresAt: storage.At(noon.Add(time.Hour))}, noon)
				if err != nil {
					t.Error(err)
				}
				results <- mayAct
			}()
		}
		first := 0
		for range nodes {
			if <-results {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%d attempts may act, want 1", first)
		}
	})
}
