package request_test

import (
	"encoding/json"
	"testing"

	"signet/provider/request"
	"signet/storage"
	"signet/storage/storagetest"
)

// A scope counts as a whole word, wherever it stands and however it is spaced; and since
// each step of each request asks for each of its scopes, asking costs nothing.
func TestMayAsk_ReadsTheRegisteredScopesInPlace(t *testing.T) {
	client := storagetest.NewClient(storage.Web, "app", "App")
	for _, c := range []struct {
		registered, scope string
		may               bool
	}{
		{"", "email", true}, {"openid email", "email", true}, {" openid   email ", "email", true}, {"email", "email", true}, {"openid emails", "email", false},
		{"openid my-email", "email", false}, {"openid", "email", false}, {" ", "email", false}, {"read", "read", false}, {"", "read", false}, {"openid", "", false},
	} {
		client.Metadata.Scope = c.registered
		if got := request.MayAsk(client, c.scope); got != c.may {
			t.Errorf("registered for %q, asks for %q: got %v", c.registered, c.scope, got)
		}
	}
	client.Metadata.Scope = "openid profile email offline_access"
	if n := testing.AllocsPerRun(100, func() { request.MayAsk(client, request.ScopeOfflineAccess) }); n != 0 {
		t.Errorf("asking makes %v allocations", n)
	}
}

// A lost claim is noticed even if the encoded rest is not shorter: encoding it again
// escapes more characters than the request did.
func TestNarrowedTo_NoticesALostClaim(t *testing.T) {
	client := storagetest.NewClient(storage.Web, "app", "App")
	client.Metadata.Scope = "openid profile"
	kept := `"name":{"value":"<<<<<<<<"}`
	for claims, lost := range map[string]bool{
		`{"userinfo":{"email":null,` + kept + `}}`: true,
		`{"userinfo":{` + kept + `}}`:              false,
		``:                                         false,
	} {
		q := request.Request{Scopes: []string{"openid"}, Claims: json.RawMessage(claims)}
		if got := q.NarrowedTo(client); got.Lost.Any != lost {
			t.Errorf("%s: lost %v, left %s", claims, got.Lost.Any, got.Claims)
		}
	}
}
