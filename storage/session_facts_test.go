package storage_test

import (
	"strconv"
	"testing"

	"signet/storage"
)

func TestAddFact_KeepsTheNewestSixteen(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 20 {
			f := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: strconv.Itoa(i)}
			if err := w.AddFact(t.Context(), w.user.ID, w.session.ID, f, noon); err != nil {
				t.Fatal(err)
			}
		}
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Facts) != 16 || s.Facts[0].Request != "4" || s.Facts[15].Request != "19" {
			t.Errorf("facts %v, want those of requests 4 to 19", s.Facts)
		}
	})
}

func TestAddFact_KeepsAllParallelFacts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		results := together(15, func(i int) error {
			f := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: strconv.Itoa(i)}
			return w.AddFact(t.Context(), w.user.ID, w.session.ID, f, noon)
		})
		if counts := tally(results); counts["ok"] != 15 {
			t.Fatalf("outcomes %v", counts)
		}
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil || len(s.Facts) != 16 {
			t.Errorf("%d facts, %v: want 16", len(s.Facts), err)
		}
	})
}

func TestAddFact_RefusesDeadAndForeignSessions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		fact := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: "r"}
		wantError(t, "alice's session, as bob", w.AddFact(t.Context(), bob.ID, w.session.ID, fact, noon), storage.ErrRevoked)
		late := w.session.ExpiresAt.Time()
		wantError(t, "an expired session", w.AddFact(t.Context(), w.user.ID, w.session.ID, fact, late), storage.ErrRevoked)
	})
}
