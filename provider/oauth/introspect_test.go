package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// The answer for a valid token has the values of the token (RFC 7662, section 2.2).
func TestIntrospect_AnswerMatchesTheToken(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		claims, got := providertest.ClaimsOf(t, tokens["access_token"]), b.Introspect(t, tokens["access_token"])
		for _, name := range []string{"iss", "sub", "aud", "client_id", "scope", "jti", "sid", "auth_time", "acr", "amr", "iat", "exp"} {
			if got[name] == nil || fmt.Sprint(got[name]) != fmt.Sprint(claims[name]) {
				t.Errorf("%s: introspection has %v, the token has %v", name, got[name], claims[name])
			}
		}
		if got["active"] != true || got["token_type"] != "Bearer" || got["gid"] != nil {
			t.Errorf("got %v", got)
		}
		refresh := b.Introspect(t, tokens["refresh_token"])
		if refresh["active"] != true || refresh["sub"] != b.Alice.ID || refresh["client_id"] != b.Client.ID || refresh["scope"] != tokens["scope"] {
			t.Errorf("refresh token: got %v", refresh)
		}
		next := b.MustRefresh(t, tokens["refresh_token"])
		b.WantInactive(t, "the previous generation", tokens["refresh_token"])
		if got := b.Introspect(t, next["refresh_token"]); got["active"] != true {
			t.Errorf("current generation: got %v", got)
		}
		for _, other := range []any{tokens["id_token"], "none", strings.Repeat("x", 20000)} {
			b.WantInactive(t, "another kind of token", other)
		}
	})
}

// A token may be introspected by the client that it was issued to, by the API in its audience,
// and by a client that an administrator has allowed. A refresh token may be introspected only by
// the client that it was issued to.
// IR-02: A client that may not ask about a token gets only {"active":false}.
func TestIntrospect_OnlyAllowedClientsGetAnAnswer(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		const api = "https://api.example.com"
		b.ChangeClient(t, func(c *storage.Client) { c.Resources = []string{api} })
		asking := func(id string, change func(*storage.Client)) *providertest.Testbed {
			return b.AsClient(b.RegisterWith(t, storage.Service, id, change))
		}
		stranger := asking("stranger", func(*storage.Client) {})
		ours := asking("api", func(c *storage.Client) { c.Audiences = []string{api} })
		other := asking("other-api", func(c *storage.Client) { c.Audiences = []string{"https://other.example.com"} })
		allowed := asking("gateway", func(c *storage.Client) { c.Introspects = true })
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "resource", api))
		for _, one := range []struct {
			as      *providertest.Testbed
			access  bool
			refresh bool
		}{{b, true, true}, {stranger, false, false}, {ours, true, false}, {other, false, false}, {allowed, true, false}} {
			for token, may := range map[string]bool{"access_token": one.access, "refresh_token": one.refresh} {
				if !may {
					one.as.WantInactive(t, one.as.Client.ID+" asks about the "+token, tokens[token])
				} else if got := one.as.Introspect(t, tokens[token]); got["active"] != true {
					t.Errorf("%s asks about the %s: got %v", one.as.Client.ID, token, got)
				}
			}
		}
	})
}

// Each of these events alone ends the tokens, although all other rules would accept them.
// IR-04: If one rule revokes a token and another does not, the token is revoked.
func TestIntrospect_TheStrictestRuleWins(t *testing.T) {
	ctx := context.Background()
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		gateway := b.AsClient(b.RegisterWith(t, storage.Service, "gateway", func(c *storage.Client) { c.Introspects = true }))
		for _, c := range []struct {
			name string
			end  func(tokens map[string]any) error
			undo func() error
		}{
			{name: "token revoked", end: func(tokens map[string]any) error { b.Revoke(t, tokens["access_token"]); return nil }},
			{name: "grant revoked", end: func(tokens map[string]any) error { b.Revoke(t, tokens["refresh_token"]); return nil }},
			{name: "session ended", end: func(tokens map[string]any) error {
				return b.DB.EndSession(ctx, b.Alice.ID, providertest.ClaimsOf(t, tokens["access_token"])["sid"].(string), "asked", storage.By{At: b.Now()})
			}},
			{name: "user signed out everywhere", end: func(map[string]any) error {
				return b.DB.SignOutEverywhere(ctx, b.Alice.ID, "asked", storage.By{At: b.Now()})
			}},
			{name: "client disabled", end: func(map[string]any) error {
				return b.DB.SetClientEnabled(ctx, b.Client.ID, false, storage.By{At: b.Now()})
			}, undo: func() error { return b.DB.SetClientEnabled(ctx, b.Client.ID, true, storage.By{At: b.Now()}) }},
			{name: "user disabled", end: func(map[string]any) error {
				return b.DB.SetUserEnabled(ctx, b.Alice.ID, false, storage.By{At: b.Now()})
			}, undo: func() error { return b.DB.SetUserEnabled(ctx, b.Alice.ID, true, storage.By{At: b.Now()}) }},
			{name: "token expired", end: func(map[string]any) error { b.Advance(17 * time.Minute); return nil }},
		} {
			s := b.Bench(t)
			if got := gateway.Introspect(t, s.Tokens["access_token"]); got["active"] != true {
				t.Fatalf("before %s: %v", c.name, got)
			}
			if err := c.end(s.Tokens); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			gateway.WantInactive(t, c.name, s.Tokens["access_token"])
			b.WantUserinfo(t, s.Tokens["access_token"].(string), http.StatusUnauthorized)
			if c.undo != nil {
				if err := c.undo(); err != nil {
					t.Fatal(err)
				}
			}
			b.Advance(time.Second)
		}
	})
}
