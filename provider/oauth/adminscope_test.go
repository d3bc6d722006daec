package oauth_test

import (
	"fmt"
	"net/url"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// TestServiceToken_ScopesOfTheAdministrationAPI: only a service with admin_api gets these scopes
// and this audience, and such a token has no other audience.
func TestServiceToken_ScopesOfTheAdministrationAPI(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		admin, orders := storage.AdminAudience(b.Issuer), "https://orders.example.com/"
		service := func(id, scope string, change func(*storage.Client)) *providertest.Testbed {
			return b.AsClient(b.RegisterWith(t, storage.Service, id, func(c *storage.Client) {
				c.Metadata.Scope, c.Resources = scope, []string{orders}
				change(c)
			}))
		}
		withAPI := func(c *storage.Client) { c.AdminAPI = true }
		operator := service("operator", "signet:read signet:users", withAPI)
		mixed := service("mixed", "signet:read orders:read", withAPI)
		// Earlier releases accepted these values.
		former := service("former", "signet:read orders:read", func(c *storage.Client) { c.Resources = append(c.Resources, admin) })
		b.Follow(t)
		for name, c := range map[string]struct {
			client          *providertest.Testbed
			scope, resource string // of the request
			want            string // scope and audience, or the error
		}{
			"scope alone":                        {operator, "signet:read", "", "signet:read [" + admin + "]"},
			"scope and resource":                 {operator, "signet:read", admin, "signet:read [" + admin + "]"},
			"nothing named":                      {operator, "", "", "signet:read signet:users [" + admin + "]"},
			"resource alone":                     {operator, "", admin, "signet:read signet:users [" + admin + "]"},
			"a scope it is not registered for":   {operator, "signet:keys", "", "invalid_scope"},
			"another API reads the token":        {operator, "signet:read", orders, "invalid_target"},
			"mixed, nothing named":               {mixed, "", "", "orders:read [" + b.Issuer + "]"},
			"mixed, for the other API":           {mixed, "", orders, "orders:read [" + orders + "]"},
			"mixed, for the administration":      {mixed, "", admin, "signet:read [" + admin + "]"},
			"mixed scopes":                       {mixed, "signet:read orders:read", "", "signet:read orders:read [" + admin + "]"},
			"mixed scopes for the other API":     {mixed, "signet:read orders:read", orders, "invalid_target"},
			"without admin_api, scope":           {former, "signet:read", "", "invalid_scope"},
			"without admin_api, resource":        {former, "orders:read", admin, "invalid_target"},
			"without admin_api, nothing named":   {former, "", "", "orders:read [" + b.Issuer + "]"},
			"without admin_api, for another API": {former, "", orders, "orders:read [" + orders + "]"},
		} {
			form := url.Values{"grant_type": {storage.GrantClientCredentials}}
			if c.scope != "" {
				form.Set("scope", c.scope)
			}
			if c.resource != "" {
				form.Set("resource", c.resource)
			}
			answer := c.client.TokenRequest(t, form).JSON(t)
			got := fmt.Sprint(answer["error"])
			if token, issued := answer["access_token"]; issued {
				got = fmt.Sprint(answer["scope"], " ", providertest.ClaimsOf(t, token)["aud"])
			}
			if got != c.want {
				t.Errorf("%s: got %s, want %s", name, got, c.want)
			}
		}
	})
}

// TestServiceToken_TwoResourcesWithTheAdministrationAPI: no other API may get a token that
// administers the server.
func TestServiceToken_TwoResourcesWithTheAdministrationAPI(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const orders = "https://orders.example.com/"
		operator := b.AsClient(b.RegisterWith(t, storage.Service, "operator", func(c *storage.Client) {
			c.Metadata.Scope, c.AdminAPI, c.Resources = "signet:read", true, []string{orders}
		}))
		b.Follow(t)
		answer := operator.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}, "resource": {storage.AdminAudience(b.Issuer), orders}}).JSON(t)
		if answer["error"] != "invalid_target" {
			t.Errorf("got %v, want invalid_target", answer)
		}
	})
}
