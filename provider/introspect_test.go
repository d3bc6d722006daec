package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// introspect asks about a token as the testbed's client.
func (b *testbed) introspect(t *testing.T, token any, pairs ...string) map[string]any {
	t.Helper()
	form := url.Values{"token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	a := b.post(t, "/introspect", formType, strings.NewReader(form.Encode()))
	if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("introspect: got %d %v %s", a.StatusCode, a.Header, a.Body)
	}
	return a.json(t)
}

// wantInactive wants that nothing is said but that.
func (b *testbed) wantInactive(t *testing.T, what string, token any) {
	t.Helper()
	if got := b.introspect(t, token); len(got) != 1 || got["active"] != false {
		t.Errorf("%s: got %v", what, got)
	}
}

// What is said of a live token is what stands in it (RFC 7662, section 2.2).
func TestIntrospect_SaysWhatTheTokenSays(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		claims, got := claimsOf(t, tokens["access_token"]), b.introspect(t, tokens["access_token"])
		for _, name := range []string{"iss", "sub", "aud", "client_id", "scope", "jti", "sid", "auth_time", "acr", "amr", "iat", "exp"} {
			if got[name] == nil || fmt.Sprint(got[name]) != fmt.Sprint(claims[name]) {
				t.Errorf("%s: introspection says %v, the token %v", name, got[name], claims[name])
			}
		}
		if got["active"] != true || got["token_type"] != "Bearer" || got["gid"] != nil {
			t.Errorf("got %v", got)
		}
		refresh := b.introspect(t, tokens["refresh_token"])
		if refresh["active"] != true || refresh["sub"] != b.Alice.ID || refresh["client_id"] != b.Client.ID || refresh["scope"] != tokens["scope"] {
			t.Errorf("of the refresh token: %v", refresh)
		}
		next := b.refreshed(t, tokens["refresh_token"])
		b.wantInactive(t, "the generation before", tokens["refresh_token"])
		if got := b.introspect(t, next["refresh_token"]); got["active"] != true {
			t.Errorf("of the current generation: %v", got)
		}
		for _, other := range []any{tokens["id_token"], "none", strings.Repeat("x", 20000)} {
			b.wantInactive(t, "what is no such token", other)
		}
	})
}

// Who may ask: the client it was issued to, the API it is for, and whom an
// administrator allowed. A refresh token is nobody else's business.
func TestIR02_OthersLearnNothing(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		const api = "https://api.example.com"
		b.changeClient(t, func(c *storage.Client) { c.Resources = []string{api} })
		asking := func(id string, change func(*storage.Client)) *testbed {
			return b.as(b.registerWith(t, storage.Service, id, change))
		}
		stranger := asking("stranger", func(*storage.Client) {})
		ours := asking("api", func(c *storage.Client) { c.Audiences = []string{api} })
		other := asking("other-api", func(c *storage.Client) { c.Audiences = []string{"https://other.example.com"} })
		allowed := asking("gateway", func(c *storage.Client) { c.Introspects = true })
		tokens := b.redeem(t, b.visitor(t).flow(t, "resource", api))
		for _, one := range []struct {
			as      *testbed
			access  bool
			refresh bool
		}{{b, true, true}, {stranger, false, false}, {ours, true, false}, {other, false, false}, {allowed, true, false}} {
			for token, may := range map[string]bool{"access_token": one.access, "refresh_token": one.refresh} {
				if !may {
					one.as.wantInactive(t, one.as.Client.ID+" asks about the "+token, tokens[token])
				} else if got := one.as.introspect(t, tokens[token]); got["active"] != true {
					t.Errorf("%s asks about the %s: got %v", one.as.Client.ID, token, got)
				}
			}
		}
	})
}

// Each of these alone ends the tokens, although everything else says they live.
func TestIR04_TheStrictestRuleWins(t *testing.T) {
	ctx := context.Background()
	each(t, func(t *testing.T, b *testbed) {
		gateway := b.as(b.registerWith(t, storage.Service, "gateway", func(c *storage.Client) { c.Introspects = true }))
		for _, c := range []struct {
			name string
			end  func(tokens map[string]any) error
			undo func() error
		}{
			{name: "token revoked", end: func(tokens map[string]any) error { b.revoke(t, tokens["access_token"]); return nil }},
			{name: "grant revoked", end: func(tokens map[string]any) error { b.revoke(t, tokens["refresh_token"]); return nil }},
			{name: "session ended", end: func(tokens map[string]any) error {
				return b.DB.EndSession(ctx, b.Alice.ID, claimsOf(t, tokens["access_token"])["sid"].(string), "asked", storage.By{At: b.now()})
			}},
			{name: "user signed out everywhere", end: func(map[string]any) error {
				return b.DB.SignOutEverywhere(ctx, b.Alice.ID, "asked", storage.By{At: b.now()})
			}},
			{name: "client disabled", end: func(map[string]any) error {
				return b.DB.SetClientEnabled(ctx, b.Client.ID, false, storage.By{At: b.now()})
			}, undo: func() error { return b.DB.SetClientEnabled(ctx, b.Client.ID, true, storage.By{At: b.now()}) }},
			{name: "user disabled", end: func(map[string]any) error {
				return b.DB.SetUserEnabled(ctx, b.Alice.ID, false, storage.By{At: b.now()})
			}, undo: func() error { return b.DB.SetUserEnabled(ctx, b.Alice.ID, true, storage.By{At: b.now()}) }},
			{name: "token expired", end: func(map[string]any) error { b.pass(17 * time.Minute); return nil }},
		} {
			s := b.bench(t)
			if got := gateway.introspect(t, s.tokens["access_token"]); got["active"] != true {
				t.Fatalf("before %s: %v", c.name, got)
			}
			if err := c.end(s.tokens); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			gateway.wantInactive(t, c.name, s.tokens["access_token"])
			b.wantUserinfo(t, s.tokens["access_token"].(string), http.StatusUnauthorized)
			if c.undo != nil {
				if err := c.undo(); err != nil {
					t.Fatal(err)
				}
			}
			b.pass(time.Second)
		}
	})
}
