package request_test

import (
	"encoding/json"
	"testing"

	"signet/provider/request"
	"signet/storage"
	"signet/storage/storagetest"
)

// MayAsk compares whole scopes, at any position and with any spaces between them. Each step
// calls it for each scope of the request, so it must not allocate.
func TestMayAsk_ComparesWholeScopesWithoutAllocating(t *testing.T) {
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
			t.Errorf("registered scope %q, requested %q: got %v, want %v", c.registered, c.scope, got, c.may)
		}
	}
	client.Metadata.Scope = "openid profile email offline_access"
	if n := testing.AllocsPerRun(100, func() { request.MayAsk(client, request.ScopeOfflineAccess) }); n != 0 {
		t.Errorf("MayAsk makes %v allocations, want 0", n)
	}
}

// NarrowedTo reports a removed claim even if the encoded rest is not shorter: encoding it
// again escapes more characters than the request did.
func TestNarrowedTo_ReportsRemovedClaim(t *testing.T) {
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
			t.Errorf("%s: Lost.Any is %v, want %v; claims left: %s", claims, got.Lost.Any, lost, got.Claims)
		}
	}
}
