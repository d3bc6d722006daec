package keeper_test

import (
	"testing"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// The facts before and after a revocation are right for a key of each state, with a next key
// and without one.
func TestRevoke_FactsBeforeAndAfter(t *testing.T) {
	at := keystest.Noon.Add(time.Hour)
	cached, expired := at.Add(5*time.Minute), at.Add(15*time.Minute)
	for name, c := range map[string]struct {
		line   string
		state  storage.KeyState
		change func(*storage.Key) // changes the rows before the revocation
		next   time.Time
		want   keeper.Aftermath // without kid, line, reason and successor
	}{
		"active": {"ES256", storage.KeyActive, nil, keystest.Noon,
			keeper.Aftermath{SuccessorSince: keystest.Noon, CachedUntil: cached, LastTokenExpiry: expired}},
		"active, without a next key": {"ES256", storage.KeyActive, func(k *storage.Key) {
			if k.Line == "ES256" && k.State == storage.KeyNext {
				k.State, k.RevokedAt, k.Sealed = storage.KeyRevoked, storage.At(keystest.Noon), []byte{}
			}
		}, time.Time{}, keeper.Aftermath{SuccessorSince: at, SuccessorUnseen: true, CachedUntil: cached, LastTokenExpiry: expired}},
		"next": {"ES256", storage.KeyNext, nil, keystest.Noon, keeper.Aftermath{CachedUntil: cached}},
		"retired": {"ES256", storage.KeyRetired, func(k *storage.Key) {
			if k.Line == "ES256" {
				keystest.PromoteNext(k)
				k.LongestLife, k.GoneAt = 15*time.Minute, storage.At(at.Add(time.Minute))
			}
		}, time.Time{}, keeper.Aftermath{CachedUntil: cached, LastTokenExpiry: keystest.Noon.Add(15 * time.Minute)}},
		"internal": {storage.InternalLine, storage.KeyActive, nil, keystest.Noon, keeper.Aftermath{SuccessorSince: keystest.Noon}},
	} {
		h := keystest.Open(t, "ES256")
		if c.change != nil {
			h = h.OpenAltered(t, c.change)
		}
		k, rows, life := h.Key(t, c.line, c.state), h.Rows(t), h.Life()
		if got, want := keeper.ConsequencesOf(rows, k), (keeper.Consequences{Line: c.line, State: string(c.state), NextSince: c.next}); !got.NextSince.Equal(want.NextSince) || got.Line != want.Line || got.State != want.State {
			t.Errorf("%s, beforehand: %+v, want %+v", name, got, want)
		}
		if _, ok := life.Aftermath(rows, k.ID); ok {
			t.Errorf("%s has an aftermath before it is revoked", name)
		}
		done, err := h.Revoke(t.Context(), k.ID, "leaked", storage.By{At: at})
		if err != nil {
			t.Fatal(err)
		}
		c.want.KeyID, c.want.Line, c.want.Reason, c.want.Was = k.ID, c.line, "leaked", string(c.state)
		if done.Successor != nil {
			c.want.Successor = done.Successor.ID
		}
		if got, ok := life.Aftermath(h.Rows(t), k.ID); !ok || inUTC(got) != inUTC(c.want) {
			t.Errorf("%s, read off the rows:\n%+v, want\n%+v", name, got, c.want)
		}
	}
	if _, ok := (keeper.Life{}).Aftermath(nil, "nobody"); ok {
		t.Error("a missing key has an aftermath")
	}
}

// inUTC converts the times to UTC, so that facts can be compared with ==.
func inUTC(a keeper.Aftermath) keeper.Aftermath {
	for _, at := range []*time.Time{&a.SuccessorSince, &a.CachedUntil, &a.LastTokenExpiry} {
		*at = at.UTC()
	}
	return a
}
