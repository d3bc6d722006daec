package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// eachOwnGrant runs a test for each served grant type that issues a token to the client itself.
func eachOwnGrant(t *testing.T, run func(t *testing.T, b *providertest.Testbed, grantType string)) {
	tried := 0
	for _, g := range storage.GrantTypes() {
		if g.Served && g.ClientsOwn {
			tried++
			t.Run(g.Name, func(t *testing.T) {
				providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) { run(t, b, g.Name) })
			})
		}
	}
	if tried == 0 {
		t.Error("no served grant type issues tokens to clients themselves")
	}
}

// ownGrantForm returns the parameters of a token request of the client itself. Add the other
// parameters that a grant type needs here.
func ownGrantForm(grantType string) url.Values {
	return url.Values{"grant_type": {grantType}}
}

// The token of a client is valid only while the client has a grant type that issues such tokens.
func TestOwnToken_ValidWhileTheClientHasTheGrantType(t *testing.T) {
	eachOwnGrant(t, func(t *testing.T, b *providertest.Testbed, grantType string) {
		client, secret := b.RegisterWith(t, storage.Service, "worker", func(c *storage.Client) { c.Metadata.GrantTypes = []string{grantType} })
		if err := directory.CheckClient(client); err != nil {
			t.Fatalf("a service with this grant type alone: %v", err)
		}
		worker := b.AsClient(client, secret)
		a := worker.TokenRequest(t, ownGrantForm(grantType))
		if a.StatusCode != http.StatusOK {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		token := a.JSON(t)["access_token"]
		if got := worker.Introspect(t, token); got["active"] != true || got["sub"] != client.ID {
			t.Errorf("with the grant type: got %v", got)
		}
		worker.ChangeClient(t, func(c *storage.Client) { c.Metadata.GrantTypes = []string{storage.GrantCode} })
		worker.WantInactive(t, "without the grant type", token)
		worker.ChangeClient(t, func(*storage.Client) {})
		if got := worker.Introspect(t, token); got["active"] != true {
			t.Errorf("with the grant type again: got %v", got)
		}
	})
}

// A public client cannot be registered for these grant types. If it is stored with one, it gets
// no token (RFC 6749, section 4.4).
func TestOwnToken_NotForPublicClients(t *testing.T) {
	eachOwnGrant(t, func(t *testing.T, b *providertest.Testbed, grantType string) {
		for _, kind := range []storage.ClientType{storage.SPA, storage.Native, storage.Web} {
			client, secret := b.RegisterWith(t, kind, string(kind), func(c *storage.Client) {
				c.Metadata.TokenEndpointAuthMethod = storage.AuthNone
				c.Metadata.RedirectURIs = []string{"https://app.example.com/callback"}
				c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, grantType)
			})
			if err := directory.CheckClient(client); err == nil || !strings.Contains(err.Error(), grantType+" is for clients that authenticate") {
				t.Errorf("%s: CheckClient returns %v", kind, err)
			}
			providertest.WantOAuthError(t, b.AsClient(client, secret).TokenRequest(t, ownGrantForm(grantType)), http.StatusUnauthorized, "invalid_client")
		}
	})
}
