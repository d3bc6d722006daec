package storage_test

import (
	"strconv"
	"testing"
	"time"

	"signet/storage"
)

// secretsOf returns the hashes of the secrets that are valid at that time, newest first.
func (w *world) secretsOf(t testing.TB, at time.Time) []string {
	t.Helper()
	client, err := w.Client(t.Context(), w.client.ID)
	if err != nil {
		t.Fatal(err)
	}
	valid := []string{}
	for _, s := range client.Secrets {
		if s.Hash != "" && (s.ExpiresAt == 0 || s.ExpiresAt > storage.At(at)) {
			valid = append(valid, s.Hash)
		}
	}
	return valid
}

func (w *world) replaceSecret(t testing.TB, hash string, overlap time.Duration, at time.Time) {
	t.Helper()
	if err := w.ReplaceSecret(t.Context(), w.client.ID, hash, overlap, storage.By{At: at}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) wantSecrets(t testing.TB, at time.Time, want ...string) {
	t.Helper()
	got := w.secretsOf(t, at)
	if len(got) != len(want) {
		t.Fatalf("valid secrets %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("valid secrets %v, want %v", got, want)
		}
	}
}

func TestReplaceSecret_OldSecretWorksDuringOverlap(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		before, err := w.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.replaceSecret(t, "first", time.Hour, noon)
		w.wantSecrets(t, noon, "first")
		w.replaceSecret(t, "second", time.Hour, noon)
		w.wantSecrets(t, noon, "second", "first")
		w.wantSecrets(t, noon.Add(59*time.Minute), "second", "first")
		w.wantSecrets(t, noon.Add(time.Hour), "second")
		if after, err := w.Changes(t.Context()); err != nil || after <= before {
			t.Errorf("change counter %d, %v; want more than %d", after, err, before)
		}
		if got := w.events(t)[0]; got != storage.ClientSecretReplaced {
			t.Errorf("event %s, want %s", got, storage.ClientSecretReplaced)
		}
	})
}

func TestReplaceSecret_ThirdSecretEndsTheOldest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, hash := range []string{"first", "second", "third"} {
			w.replaceSecret(t, hash, time.Hour, noon)
		}
		w.wantSecrets(t, noon, "third", "second")
		w.replaceSecret(t, "fourth", 0, noon)
		w.wantSecrets(t, noon, "fourth")
	})
}

// An old secret that expires before the end of the overlap still expires at its own time.
func TestReplaceSecret_OverlapNeverExtendsASecret(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		client := w.client
		client.ID = "short"
		client.Secrets[0] = storage.ClientSecret{Hash: "ends soon", ExpiresAt: storage.At(noon.Add(time.Minute))}
		if err := w.CreateClient(t.Context(), client, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.client = client
		w.replaceSecret(t, "next", time.Hour, noon)
		w.wantSecrets(t, noon, "next", "ends soon")
		w.wantSecrets(t, noon.Add(time.Minute), "next")
	})
}

func TestReplaceSecret_Race(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		results := together(8, func(i int) error {
			return w.ReplaceSecret(t.Context(), w.client.ID, "hash "+strconv.Itoa(i), time.Hour, storage.By{At: noon})
		})
		if counts := tally(results); counts["ok"] != len(results) {
			t.Fatalf("outcomes %v", counts)
		}
		if got := w.secretsOf(t, noon); len(got) != 2 || got[0] == got[1] {
			t.Errorf("valid secrets %v, want the last two", got)
		}
	})
}

func TestReplaceSecret_UnknownClient(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, args := range [][2]string{{"unknown", "hash"}, {"", "hash"}, {w.client.ID, ""}} {
			wantError(t, args[0], w.ReplaceSecret(t.Context(), args[0], args[1], time.Hour, storage.By{At: noon}), storage.ErrNotFound)
		}
	})
}
