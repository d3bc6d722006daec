package provider_test

import (
	"fmt"
	"net/http"
	"testing"

	"signet/provider/providertest"
)

// TestFlow_SignInToUserinfo is the shortest whole journey: sign-in, code, tokens, userinfo.
func TestFlow_SignInToUserinfo(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		id := providertest.ClaimsOf(t, tokens["id_token"])
		if id["sub"] != b.Alice.ID || id["nonce"] != "n-0S6_WzA2Mj" || fmt.Sprint(id["aud"]) != "[app]" {
			t.Fatalf("ID token: %v", id)
		}
		a := b.Userinfo(t, tokens["access_token"].(string))
		if a.StatusCode != http.StatusOK || a.JSON(t)["email"] != providertest.Alice || a.JSON(t)["sub"] != b.Alice.ID {
			t.Fatalf("userinfo: %d %s", a.StatusCode, a.Body)
		}
		v.CodeFromSession(t, "prompt", "none")
	})
}
