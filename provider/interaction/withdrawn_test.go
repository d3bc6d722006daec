package provider_test

import (
	"context"
	"testing"
	"time"

	"signet/storage"
)

// A code is no way around a withdrawal: neither one that was sent before it, nor
// one that the same request yields after.
func TestWithdrawConsent_EndsWhatIsOnItsWay(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		consent := v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		request := consent.form(t).values.Get("request")
		code := v.allow(t, consent).code(t)
		b.pass(time.Second)
		if err := b.DB.WithdrawConsent(context.Background(), b.Alice.ID, b.Client.ID, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.refuseCode(t, code, "invalid_grant")
		again := v.get(t, b.Issuer+"/authorize/next?request="+request)
		if again.Left != nil || again.At.Path != b.path("/consent") {
			t.Fatalf("an answer from before the withdrawal still counts: %s, left to %v", again.At.Path, again.Left)
		}
		b.pass(time.Second)
		b.redeem(t, v.allow(t, again).code(t))
	})
}
