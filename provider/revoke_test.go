package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/storage"
)

// revocation posts to /revoke as the testbed's client.
func (b *testbed) revocation(t *testing.T, token any, pairs ...string) answer {
	t.Helper()
	form := url.Values{"token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	if b.Secret == "" {
		form.Set("client_id", b.Client.ID)
	}
	return b.post(t, "/revoke", formType, strings.NewReader(form.Encode()), func(r *http.Request) {
		if b.Secret == "" {
			r.Header.Del("Authorization")
		}
	})
}

// revoke wants the answer that every revocation gets, whatever it was about.
func (b *testbed) revoke(t *testing.T, token any, pairs ...string) {
	t.Helper()
	if a := b.revocation(t, token, pairs...); a.StatusCode != http.StatusOK || strings.TrimSpace(a.Body) != "" && strings.TrimSpace(a.Body) != "null" {
		t.Fatalf("revoke: got %d %q", a.StatusCode, a.Body)
	}
}

// An access token dies alone, a refresh token takes all along, and the hint
// changes nothing (RFC 7009, section 2.1).
func TestIR09_HintsAndUnknownTokens(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, hint := range []string{"", "access_token", "refresh_token", "id_token", "nonsense"} {
			first := b.redeem(t, v.again(t))
			b.revoke(t, first["access_token"], "token_type_hint", hint)
			b.wantUserinfo(t, first["access_token"].(string), http.StatusUnauthorized)
			b.wantEvent(t, storage.TokenRevoked, claimsOf(t, first["access_token"])["gid"])
			second := b.refreshed(t, first["refresh_token"])
			b.wantUserinfo(t, second["access_token"].(string), http.StatusOK)
			b.revoke(t, first["access_token"], "token_type_hint", hint) // again
			b.revoke(t, second["refresh_token"], "token_type_hint", hint)
			b.wantDead(t, second)
			b.wantEvent(t, storage.GrantRevoked, claimsOf(t, first["access_token"])["gid"])
			b.revoke(t, second["refresh_token"], "token_type_hint", hint)
			for _, unknown := range []string{"none", "a.b.c", second["id_token"].(string), strings.Repeat("x", 20000)} {
				b.revoke(t, unknown, "token_type_hint", hint)
			}
		}
	})
}

// Another client's revocation is answered like one of an unknown token, and does
// nothing; a public client may revoke what is its own.
func TestIR06_OnlyTheOwnersRevocationCounts(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.as(b.registerWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Introspects = []string{callback}, true
		}))
		spa := b.as(b.register(t, storage.SPA, "spa", callback))
		tokens := b.redeem(t, b.visitor(t).flow(t))
		for _, thief := range []*testbed{other, spa} {
			want := thief.revocation(t, "none")
			for _, kind := range []string{"access_token", "refresh_token"} {
				if got := thief.revocation(t, tokens[kind]); got.StatusCode != want.StatusCode || got.Body != want.Body {
					t.Errorf("%s at another's %s: got %d %q, at an unknown token %d %q", thief.Client.ID, kind, got.StatusCode, got.Body, want.StatusCode, want.Body)
				}
			}
			b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			tokens = b.refreshed(t, tokens["refresh_token"])
		}
		v := spa.visitor(t)
		own := spa.redeem(t, v.flow(t))
		spa.revoke(t, own["refresh_token"])
		spa.wantDead(t, own)
	})
}

func TestIR08_DatabaseGoneIsNoRevocation(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		tokens := b.redeem(t, b.visitor(t).flow(t))
		down := b.node(t)
		if err := down.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"access_token", "refresh_token"} {
			a := down.revocation(t, tokens[kind])
			wantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", kind)
			}
			a = down.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {tokens[kind].(string)}}.Encode()))
			wantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		}
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		b.refreshed(t, tokens["refresh_token"])
	})
}
