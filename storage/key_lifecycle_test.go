package storage_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

const (
	life   = 15 * time.Minute
	margin = 5 * time.Minute
)

// startLine starts a key line and returns its active and its next key.
func (w *world) startLine(t *testing.T, name string) (active, next storage.Key) {
	t.Helper()
	if _, err := w.StartKeyLines(t.Context(), firstKeys(name), storage.By{At: noon}); err != nil {
		t.Fatal(err)
	}
	return w.keyIn(t, name, storage.KeyActive), w.keyIn(t, name, storage.KeyNext)
}

// keyIn returns the newest key of a line in a state. Its ID is "" if there is no such key.
func (w *world) keyIn(t *testing.T, line string, state storage.KeyState) (found storage.Key) {
	t.Helper()
	for _, k := range w.keys(t) {
		if k.Line == line && k.State == state {
			found = k
		}
	}
	return found
}

func (w *world) keys(t *testing.T) []storage.Key {
	t.Helper()
	list, err := w.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func freshKey(line string) storage.Key {
	return storage.Key{ID: storage.NewID(line + "-"), Line: line, State: storage.KeyNext, Public: `{"kty":"EC"}`, Sealed: []byte{3}}
}

func (w *world) keyRotation(t *testing.T, line string) storage.KeyRotation {
	t.Helper()
	return storage.KeyRotation{
		Line: line, Active: w.keyIn(t, line, storage.KeyActive).ID, Next: w.keyIn(t, line, storage.KeyNext),
		Fresh: freshKey(line), Life: life, Margin: margin,
	}
}

func (w *world) changeCounter(t *testing.T) int64 {
	t.Helper()
	n, err := w.Changes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRotateKeys_ActivatesTheNextKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		active, next := w.startLine(t, "ES256")
		if err := w.RaiseLongestLife(t.Context(), active.ID, time.Hour); err != nil {
			t.Fatal(err)
		}
		before, r, at := w.changeCounter(t), w.keyRotation(t, "ES256"), noon.Add(24*time.Hour)
		if err := w.RotateKeys(t.Context(), []storage.KeyRotation{r}, storage.By{From: storage.Origin{Actor: "cli"}, At: at}); err != nil {
			t.Fatal(err)
		}
		// The longest lifetime while the key signed counts, not the current one.
		retired := w.keyIn(t, "ES256", storage.KeyRetired)
		if retired.ID != active.ID || retired.RetiredAt != storage.At(at) || retired.GoneAt != storage.At(at.Add(time.Hour+margin)) ||
			retired.LastTokenExpiry() != storage.At(at.Add(time.Hour)) {
			t.Errorf("retired: %+v", retired)
		}
		if k := w.keyIn(t, "ES256", storage.KeyActive); k.ID != next.ID || k.ActivatedAt != storage.At(at) || k.LongestLife != life {
			t.Errorf("active: %+v", k)
		}
		if k := w.keyIn(t, "ES256", storage.KeyNext); k.ID != r.Fresh.ID || k.CreatedAt != storage.At(at) {
			t.Errorf("next: %+v", k)
		}
		if w.changeCounter(t) == before || w.events(t)[0] != storage.KeyRotated {
			t.Error("the change counter did not move, or there is no event key.rotated")
		}
	})
}

// KY-03: if two nodes rotate at once, one new key signs.
func TestRotateKeys_OneOfManyAtOnceWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		handles := []*storage.DB{w.DB, w.backend.Open(t)}
		rotations := make([]storage.KeyRotation, 20)
		for i := range rotations {
			rotations[i] = w.keyRotation(t, "ES256")
		}
		won := 0
		for _, err := range together(len(rotations), func(i int) error {
			return handles[i%2].RotateKeys(t.Context(), rotations[i:i+1], storage.By{At: noon})
		}) {
			if err == nil {
				won++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Error(err)
			}
		}
		if n := len(w.keys(t)); won != 1 || n != 3 {
			t.Errorf("%d won, %d keys; want 1 and 3", won, n)
		}
	})
}

func TestRotateKeys_AllLinesOrNone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		w.startLine(t, "RS256")
		good, bad := w.keyRotation(t, "ES256"), w.keyRotation(t, "RS256")
		bad.Next.Sealed = []byte("sealed before a rewrap")
		before := w.keys(t)
		wantError(t, "stale seal", w.RotateKeys(t.Context(), []storage.KeyRotation{good, bad}, storage.By{At: noon}), storage.ErrConflict)
		for i, k := range w.keys(t) {
			if k.State != before[i].State {
				t.Errorf("key %s is %s, was %s", k.ID, k.State, before[i].State)
			}
		}
	})
}

func TestRevokeKey_ActivatesNextAndErasesPrivateKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		active, next := w.startLine(t, "ES256")
		r := storage.KeyRevocation{Key: active, Reason: "leaked", Promote: &next, Fresh: []storage.Key{freshKey("ES256")}, Life: life}
		if err := w.RevokeKey(t.Context(), r, storage.By{From: storage.Origin{Actor: "cli"}, At: noon}); err != nil {
			t.Fatal(err)
		}
		revoked := w.keyIn(t, "ES256", storage.KeyRevoked)
		if revoked.ID != active.ID || len(revoked.Sealed) != 0 || revoked.RevokeReason != "leaked" || revoked.RevokedAt != storage.At(noon) {
			t.Errorf("revoked: %+v", revoked)
		}
		if k := w.keyIn(t, "ES256", storage.KeyActive); k.ID != next.ID {
			t.Errorf("the active key is %s, want %s", k.ID, next.ID)
		}
		if k := w.keyIn(t, "ES256", storage.KeyNext); k.ID != r.Fresh[0].ID {
			t.Errorf("next: %+v", k)
		}
		wantError(t, "again", w.RevokeKey(t.Context(), r, storage.By{At: noon}), storage.ErrConflict)
		if n := len(w.keys(t)); n != 3 {
			t.Errorf("%d keys, want 3", n)
		}
	})
}

func TestEndExpiredKeys_ErasesPrivateKeysThenDeletesRows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		if err := w.RotateKeys(t.Context(), []storage.KeyRotation{w.keyRotation(t, "ES256")}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		const keep = 400 * 24 * time.Hour
		goneAt := w.keyIn(t, "ES256", storage.KeyRetired).GoneAt.Time()
		for _, step := range []struct {
			what string
			at   time.Time
			want int
		}{
			{"too early", goneAt.Add(-time.Millisecond), 0},
			{"in time", goneAt, 1},
			{"again", goneAt, 0},
			{"kept for id_token_hint", goneAt.Add(keep - time.Millisecond), 0},
			{"deleted", goneAt.Add(keep), 1},
		} {
			if n, err := w.EndExpiredKeys(t.Context(), keep, storage.By{At: step.at}); err != nil || n != step.want {
				t.Errorf("%s: %d, %v; want %d", step.what, n, err, step.want)
			}
			if k := w.keyIn(t, "ES256", storage.KeyGone); step.what == "in time" && (len(k.Sealed) != 0 || k.Public == "") {
				t.Errorf("a gone key has a private key, or no public key: %+v", k)
			}
		}
		if n := len(w.keys(t)); n != 2 {
			t.Errorf("%d keys, want the active and the next one", n)
		}
	})
}

// KY-09: the newest keys of a line are kept, even if all of them have expired.
func TestEndExpiredKeys_KeepsKeysOfALineWithoutActiveKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(`UPDATE keys SET state = 'retired', gone_at = 1 WHERE state = 'active'`).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.EndExpiredKeys(t.Context(), time.Hour, storage.By{At: noon}); n != 0 || err != nil {
			t.Errorf("%d keys ended, %v; want 0", n, err)
		}
	})
}

// KY-09: after a clock has jumped far ahead, the times of the keys are moved back to
// the present.
func TestClampKeyTimes_MovesFutureTimesBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		ahead := noon.Add(365 * 24 * time.Hour)
		if err := w.RotateKeys(t.Context(), []storage.KeyRotation{w.keyRotation(t, "ES256")}, storage.By{At: ahead}); err != nil {
			t.Fatal(err)
		}
		if err := w.ClampKeyTimes(t.Context(), margin, noon); err != nil {
			t.Fatal(err)
		}
		for _, k := range w.keys(t) {
			for _, at := range []storage.Millis{k.CreatedAt, k.ActivatedAt, k.RetiredAt} {
				if at > storage.At(noon) {
					t.Errorf("%s key %+v has a time in the future", k.State, k)
				}
			}
		}
		if k := w.keyIn(t, "ES256", storage.KeyRetired); k.GoneAt != storage.At(noon.Add(k.LongestLife+margin)) {
			t.Errorf("the retired key ends at %s", k.GoneAt.Time())
		}
	})
}

func TestAddNextKey_RefusesASecondNextKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "ES256")
		wantError(t, "a second next", w.AddNextKey(t.Context(), freshKey("ES256"), storage.By{At: noon}), storage.ErrConflict)
		if err := w.AddNextKey(t.Context(), freshKey("EdDSA"), storage.By{At: noon}); err != nil {
			t.Error(err)
		}
	})
}

func TestRewrapKeys_AllOrNone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		active, next := w.startLine(t, "ES256")
		broken := errors.New("broken")
		_, err := w.RewrapKeys(t.Context(), func(k storage.Key) ([]byte, error) {
			if k.ID == next.ID {
				return nil, broken
			}
			return []byte("new"), nil
		}, storage.By{At: noon})
		wantError(t, "one key cannot be sealed", err, broken)
		if k := w.keyIn(t, "ES256", storage.KeyActive); !bytes.Equal(k.Sealed, active.Sealed) {
			t.Error("one key was resealed although another one failed")
		}
		n, err := w.RewrapKeys(t.Context(), func(k storage.Key) ([]byte, error) {
			if k.ID == next.ID {
				return nil, nil
			}
			return []byte("new"), nil
		}, storage.By{At: noon})
		if k := w.keyIn(t, "ES256", storage.KeyActive); err != nil || n != 1 || string(k.Sealed) != "new" {
			t.Errorf("%d resealed, %v: %+v", n, err, k)
		}
		if k := w.keyIn(t, "ES256", storage.KeyNext); !bytes.Equal(k.Sealed, next.Sealed) {
			t.Error("a key for which the function returned nil was resealed")
		}
	})
}

func TestRetireKeyLine_RefusedWhileAClientUsesIt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.startLine(t, "EdDSA")
		c := storagetest.NewClient(storage.Web, "edwards", "Edwards")
		c.Metadata.RedirectURIs, c.Metadata.IDTokenSignedResponseAlg = []string{"https://e.example.com/cb"}, "EdDSA"
		c.Secrets[0] = storage.ClientSecret{Hash: "hash"}
		if err := w.CreateClient(t.Context(), c, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		wantError(t, "a client uses the line", w.RetireKeyLine(t.Context(), "EdDSA", margin, storage.By{At: noon}), storage.ErrConflict)
		if k := w.keyIn(t, "EdDSA", storage.KeyActive); k.ID == "" {
			t.Error("the line has no active key after the refusal")
		}
		if err := w.SetClientEnabled(t.Context(), "edwards", false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.RetireKeyLine(t.Context(), "EdDSA", margin, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if k := w.keyIn(t, "EdDSA", storage.KeyGone); len(k.Sealed) != 0 || k.ID == "" {
			t.Errorf("the next key: %+v", k)
		}
		wantError(t, "again", w.RetireKeyLine(t.Context(), "EdDSA", margin, storage.By{At: noon}), storage.ErrNotFound)
		if n, err := w.EndExpiredKeys(t.Context(), time.Hour, storage.By{At: noon.Add(margin)}); err != nil || n != 1 {
			t.Errorf("%d keys ended, %v; want the last key of the line", n, err)
		}
	})
}

// A key in an HSM keeps its reference after its revocation. ClearKeyReference clears the
// reference once the caller has destroyed the private key, and does not touch a key in use.
func TestClearKeyReference_ClearsOnlyKeysOutOfUse(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		active, next := w.startLine(t, "ES256")
		reference := []byte{storage.ExternalKeyMarker, 'r'}
		if _, err := w.RewrapKeys(t.Context(), func(storage.Key) ([]byte, error) { return reference, nil }, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeKey(t.Context(), storage.KeyRevocation{Key: active}, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if k := w.keyIn(t, "ES256", storage.KeyRevoked); k.ID != active.ID || !k.IsExternal() {
			t.Errorf("revoked: %+v, want its reference to be kept", k)
		}
		before := w.changeCounter(t)
		for _, id := range []string{active.ID, next.ID, active.ID} { // next is in use
			if err := w.ClearKeyReference(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if k := w.keyIn(t, "ES256", storage.KeyRevoked); len(k.Sealed) != 0 {
			t.Errorf("the reference %x is still stored", k.Sealed)
		}
		if k := w.keyIn(t, "ES256", storage.KeyNext); !bytes.Equal(k.Sealed, reference) {
			t.Errorf("the reference of a key in use was cleared: %+v", k)
		}
		if got := w.changeCounter(t) - before; got != 1 {
			t.Errorf("the change counter moved by %d, want 1", got)
		}
	})
}
