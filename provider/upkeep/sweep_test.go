package upkeep_test

import (
	"net/http"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// sweepAfter moves the clock and lets the nodes sweep at the same time, as if they had swept every
// minute before.
func sweepAfter(t *testing.T, b *providertest.Testbed, after time.Duration, nodes ...*providertest.Testbed) {
	t.Helper()
	b.Advance(after)
	if _, err := b.DB.TakeLease(t.Context(), "swept", "test", time.Millisecond, b.Now()); err != nil {
		t.Fatal(err)
	}
	providertest.Race(len(nodes), func(i int) {
		if err := nodes[i].SweepOnce(t.Context(), b.Now()); err != nil {
			t.Error(err)
		}
	})
}

// TestSweepOnce_KeepsGrantsInUse: two nodes sweep for a year, while an application refreshes a grant
// whose session has ended.
// MN-10: Cleanup on all nodes at once is harmless.
func TestSweepOnce_KeepsGrantsInUse(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second, v := b.Node(t), b.Visitor(t)
		v.SignInForCode(t)
		b.ConsentTo(t, "openid email offline_access")
		code := v.CodeFromSession(t, "scope", "openid offline_access")
		offline := b.Redeem(t, code)
		online := b.Redeem(t, v.CodeFromSession(t))
		v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		began := storage.At(b.Now())
		for range 12 {
			sweepAfter(t, b, 29*24*time.Hour, b, second)
			offline = b.MustRefresh(t, offline["refresh_token"])
			b.WantUserinfo(t, offline["access_token"].(string), http.StatusOK)
		}
		b.RefuseCode(t, code, "invalid_grant")
		b.RefuseRefresh(t, online["refresh_token"], "invalid_grant")
		b.WantUserinfo(t, offline["access_token"].(string), http.StatusOK) // the row of the code is deleted
		if oldest := b.Events(t); oldest[len(oldest)-1].At > began {
			t.Error("events of eleven months ago are gone")
		}
		sweepAfter(t, b, 60*24*time.Hour, b, second)
		for _, e := range b.Events(t) {
			if e.At < storage.At(b.Now().AddDate(0, 0, -400)) {
				t.Errorf("%s of %s is still there", e.Type, e.At.Time())
			}
		}
		if v := b.Visitor(t); v.SignInForCode(t) == "" {
			t.Error("a sign-in fails after the sweeps")
		}
	})
}
