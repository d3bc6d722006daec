package provider_test

import (
	"net/http"
	"testing"
	"time"

	"signet/storage"
)

// swept moves the clock, and lets the nodes sweep at once, as if they had swept every
// minute until then.
func (b *testbed) swept(t *testing.T, after time.Duration, nodes ...*testbed) {
	t.Helper()
	b.pass(after)
	if _, err := b.DB.TakeLease(t.Context(), "swept", "test", time.Millisecond, b.now()); err != nil {
		t.Fatal(err)
	}
	race(len(nodes), func(i int) {
		if err := nodes[i].SweepOnce(t.Context(), b.now()); err != nil {
			t.Error(err)
		}
	})
}

// TestMN10_SweepOnceLeavesAloneWhatIsUsed: over a year two nodes sweep, while an app
// refreshes the grant that outlived its session.
func TestMN10_SweepOnceLeavesAloneWhatIsUsed(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second, v := b.node(t), b.visitor(t)
		v.flow(t)
		b.consentTo(t, "openid email offline_access")
		code := v.again(t, "scope", "openid offline_access")
		offline := b.redeem(t, code)
		online := b.redeem(t, v.again(t))
		v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
		began := storage.At(b.now())
		for range 12 {
			b.swept(t, 29*24*time.Hour, b, second)
			offline = b.refreshed(t, offline["refresh_token"])
			b.wantUserinfo(t, offline["access_token"].(string), http.StatusOK)
		}
		b.refuseCode(t, code, "invalid_grant")
		b.refuseRefresh(t, online["refresh_token"], "invalid_grant")
		b.wantUserinfo(t, offline["access_token"].(string), http.StatusOK) // nothing tells of the code any more
		if oldest := b.events(t); oldest[len(oldest)-1].At > began {
			t.Error("events of eleven months ago are gone")
		}
		b.swept(t, 60*24*time.Hour, b, second)
		for _, e := range b.events(t) {
			if e.At < storage.At(b.now().AddDate(0, 0, -400)) {
				t.Errorf("%s of %s is still there", e.Type, e.At.Time())
			}
		}
		if v := b.visitor(t); v.flow(t) == "" {
			t.Error("nobody signs in any more")
		}
	})
}
