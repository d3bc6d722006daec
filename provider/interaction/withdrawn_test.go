package interaction_test

import (
	"context"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// A withdrawal of consent also ends codes that were issued before it. The same request gives
// no further code without a new consent.
func TestWithdrawConsent_EndsIssuedCodes(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		consent := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		request := consent.Form(t).Values.Get("request")
		code := v.Allow(t, consent).Code(t)
		b.Advance(time.Second)
		if err := b.DB.WithdrawConsent(context.Background(), b.Alice.ID, b.Client.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.RefuseCode(t, code, "invalid_grant")
		again := v.Get(t, b.Issuer+"/authorize/next?request="+request)
		if again.LeftTo != nil || again.At.Path != b.Path("/consent") {
			t.Fatalf("the consent from before the withdrawal still counts: at %s, left to %v", again.At.Path, again.LeftTo)
		}
		b.Advance(time.Second)
		b.Redeem(t, v.Allow(t, again).Code(t))
	})
}
