package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// Revoking an access token ends only that token. Revoking a refresh token ends all tokens of the
// grant. The hint changes nothing (RFC 7009, section 2.1).
// IR-09: A wrong token_type_hint is ignored; an unknown token gives 200 (RFC 7009, section
// 2.2).
func TestRevoke_HintsAndUnknownTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, hint := range []string{"", "access_token", "refresh_token", "id_token", "nonsense"} {
			first := b.Redeem(t, v.CodeFromSession(t))
			b.Revoke(t, first["access_token"], "token_type_hint", hint)
			b.WantUserinfo(t, first["access_token"].(string), http.StatusUnauthorized)
			b.WantEvent(t, storage.TokenRevoked, providertest.ClaimsOf(t, first["access_token"])["gid"])
			second := b.MustRefresh(t, first["refresh_token"])
			b.WantUserinfo(t, second["access_token"].(string), http.StatusOK)
			b.Revoke(t, first["access_token"], "token_type_hint", hint) // a second time
			b.Revoke(t, second["refresh_token"], "token_type_hint", hint)
			b.WantRevoked(t, second)
			b.WantEvent(t, storage.GrantRevoked, providertest.ClaimsOf(t, first["access_token"])["gid"])
			b.Revoke(t, second["refresh_token"], "token_type_hint", hint)
			for _, unknown := range []string{"none", "a.b.c", second["id_token"].(string), strings.Repeat("x", 20000)} {
				b.Revoke(t, unknown, "token_type_hint", hint)
			}
		}
	})
}

// Revoking the token of another client does nothing, and the answer is the one for an unknown
// token. A public client may revoke its own tokens.
// IR-06: A client cannot revoke another client's token (RFC 7009, section 2.1).
func TestRevoke_OtherClientsCannotRevoke(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.AsClient(b.RegisterWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Introspects = []string{providertest.Callback}, true
		}))
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", providertest.Callback))
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		for _, thief := range []*providertest.Testbed{other, spa} {
			want := thief.Revocation(t, "none")
			for _, kind := range []string{"access_token", "refresh_token"} {
				if got := thief.Revocation(t, tokens[kind]); got.StatusCode != want.StatusCode || got.Body != want.Body {
					t.Errorf("%s revokes another client's %s: got %d %q, for an unknown token %d %q", thief.Client.ID, kind, got.StatusCode, got.Body, want.StatusCode, want.Body)
				}
			}
			b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
			tokens = b.MustRefresh(t, tokens["refresh_token"])
		}
		v := spa.Visitor(t)
		own := spa.Redeem(t, v.SignInForCode(t))
		spa.Revoke(t, own["refresh_token"])
		spa.WantRevoked(t, own)
	})
}

// IR-08: If storage fails during revocation, the answer is 503 and never 200.
func TestRevoke_DatabaseGoneGives503(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		down := b.Node(t)
		if err := down.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"access_token", "refresh_token"} {
			a := down.Revocation(t, tokens[kind])
			providertest.WantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
			if a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", kind)
			}
			a = down.Post(t, "/introspect", providertest.FormType, strings.NewReader(url.Values{"token": {tokens[kind].(string)}}.Encode()))
			providertest.WantOAuthError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		}
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		b.MustRefresh(t, tokens["refresh_token"])
	})
}
