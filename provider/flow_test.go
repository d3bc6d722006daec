package provider_test

import (
	"fmt"
	"net/http"
	"testing"
)

func TestFlow_SignInToUserinfo(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		id := claimsOf(t, tokens["id_token"])
		if id["sub"] != b.Alice.ID || id["nonce"] != "n-0S6_WzA2Mj" || fmt.Sprint(id["aud"]) != "[app]" {
			t.Fatalf("ID token: %v", id)
		}
		a := b.userinfo(t, tokens["access_token"].(string))
		if a.StatusCode != http.StatusOK || a.json(t)["email"] != alice || a.json(t)["sub"] != b.Alice.ID {
			t.Fatalf("userinfo: %d %s", a.StatusCode, a.Body)
		}
		v.again(t, "prompt", "none")
	})
}
