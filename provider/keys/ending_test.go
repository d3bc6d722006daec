package keys_test

import (
	"slices"
	"testing"
	"time"

	"signet/provider/keys/keystest"
	"signet/storage"
)

// After the end of everything no kind of token from before opens, at this node nor at a running
// second one. New tokens of every kind open, and the published keys are all new.
func TestEndEverything_NoKindOfTokenFromBeforeOpens(t *testing.T) {
	h := open(t)
	again, err := h.OpenAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	second := &testNode{again}
	before := map[string]string{}
	for _, k := range kinds {
		before[k.name] = k.make(t, h)
		if err := k.open(second, before[k.name]); err != nil {
			t.Fatalf("%s, before: %v", k.name, err)
		}
	}
	old := h.Published(t)
	done, err := h.EndEverything(t.Context(), storage.Ending{Reason: "stolen"}, storage.By{At: noon})
	if err != nil || done.MakeError != nil || done.DestroyError != nil {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, node := range []*testNode{h, second} {
		if err := node.ReloadOnce(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if err := node.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		for _, k := range kinds {
			if err := k.open(node, before[k.name]); err == nil {
				t.Errorf("%s from before opens", k.name)
			}
			if err := k.open(second, k.make(t, node)); err != nil {
				t.Errorf("a new %s: %v", k.name, err)
			}
		}
	}
	for _, kid := range h.Published(t) {
		if slices.Contains(old, kid) {
			t.Errorf("key %s from before is published", kid)
		}
	}
	for _, line := range []string{"ES256", "RS256", storage.InternalLine} {
		if got := h.States(t, line); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRevoked] != 2 || len(got) != 3 {
			t.Errorf("%s: states %v, want an active, a next and two revoked keys", line, got)
		}
	}
	// The schedule goes on with the new keys.
	if err := second.RotateOnce(t.Context(), noon.Add(time.Second)); err != nil {
		t.Error(err)
	}
}

// A line that signs but is not in the settings of the command, which may run with other settings
// than the servers, gets new keys too.
func TestEndEverything_ReplacesLinesOfOtherSettings(t *testing.T) {
	h := open(t, "ES256", "EdDSA")
	command := keystest.Keeper(t, h.DB, h.Config.Vault) // with the default algorithms
	if _, err := command.EndEverything(t.Context(), storage.Ending{Reason: "stolen"}, storage.By{At: noon}); err != nil {
		t.Fatal(err)
	}
	if got := h.States(t, "EdDSA"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRevoked] != 2 {
		t.Errorf("states %v, want an active, a next and two revoked keys", got)
	}
}
