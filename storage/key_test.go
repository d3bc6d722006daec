package storage_test

import (
	"bytes"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
)

func firstKeys(lines ...string) []storage.Key {
	var keys []storage.Key
	for _, line := range lines {
		keys = append(keys,
			storage.Key{ID: storage.NewID(line + "-"), Line: line, State: storage.KeyActive, Public: `{"kty":"EC"}`, Sealed: []byte{0, 1, 255}},
			storage.Key{ID: storage.NewID(line + "-"), Line: line, State: storage.KeyNext, Public: `{"kty":"EC"}`, Sealed: []byte{4}})
	}
	return keys
}

func TestStartKeyLines_StartsOnlyMissingLines(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := firstKeys("ES256")
		if n, err := w.StartKeyLines(t.Context(), first, storage.By{At: noon}); err != nil || n != 2 {
			t.Fatalf("started %d, %v: want 2", n, err)
		}
		if n, err := w.StartKeyLines(t.Context(), firstKeys("ES256", "RS256"), storage.By{At: noon}); err != nil || n != 2 {
			t.Fatalf("started %d, %v: want the 2 keys of RS256", n, err)
		}
		keys, err := w.Keys(t.Context())
		if err != nil || len(keys) != 4 {
			t.Fatalf("%d keys, %v: want 4", len(keys), err)
		}
		for _, k := range keys {
			if k.ID == first[0].ID && (!bytes.Equal(k.Sealed, first[0].Sealed) || k.Public != first[0].Public || k.CreatedAt != storage.At(noon) || k.ActivatedAt != storage.At(noon)) {
				t.Errorf("key %+v, want %+v since noon", k, first[0])
			}
			if k.State == storage.KeyNext && k.ActivatedAt != 0 {
				t.Errorf("next key %+v has an activation time", k)
			}
		}
	})
}

func TestStartKeyLines_OneOfManyAtOnceWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		handles := []*storage.DB{w.DB, w.backend.Open(t)}
		won := make([]int, 8)
		results := together(len(won), func(i int) (err error) {
			won[i], err = handles[i%2].StartKeyLines(t.Context(), firstKeys("ES256", storage.InternalLine), storage.By{At: noon})
			return err
		})
		if counts := tally(results); counts["ok"] != len(won) {
			t.Fatalf("outcomes %v, want no error", counts)
		}
		sum := 0
		for _, n := range won {
			sum += n
		}
		keys, err := w.Keys(t.Context())
		if err != nil || sum != 4 || len(keys) != 4 {
			t.Errorf("%d keys started, %d stored, %v; want 4", sum, len(keys), err)
		}
	})
}

func TestKeys_SchemaAllowsOneActiveAndOneNextPerLine(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if _, err := w.StartKeyLines(t.Context(), firstKeys("ES256"), storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, state := range []storage.KeyState{storage.KeyActive, storage.KeyNext} {
			err := w.Write(t.Context(), func(tx *gorm.DB) error {
				return tx.Create(&storage.Key{ID: "another", Line: "ES256", State: state, Sealed: []byte{1}}).Error
			})
			wantError(t, string(state), err, storage.ErrConflict)
		}
	})
}
