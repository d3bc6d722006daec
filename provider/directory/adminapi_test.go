package directory_test

import (
	"testing"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// TestCreateClient_AudienceOfTheAdministrationAPIIsReserved: a client with this audience could
// introspect the tokens of administrators, or let people get such tokens.
func TestCreateClient_AudienceOfTheAdministrationAPIIsReserved(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		rules := directory.New(directory.Deps{DB: b.DB, Issuer: b.Issuer, Now: b.Now})
		for field, set := range map[string]func(*storage.Client){
			"resources": func(c *storage.Client) { c.Resources = []string{storage.AdminAudience(b.Issuer)} },
			"audiences": func(c *storage.Client) {
				c.Audiences = []string{"https://api.example.com/", storage.AdminAudience(b.Issuer)}
			},
		} {
			c := directory.NewClient(storage.Service, storage.NewID("app-"), "Orders")
			set(&c)
			if _, _, err := rules.CreateClient(t.Context(), c, providertest.TestOrigin); codesOf(err) != field+" "+directory.InvalidValue {
				t.Errorf("%s: got %v, want it refused", field, err)
			}
		}
	})
}

// TestCreateClient_AdministrationAPIReadsByDefault: without a scope, the client may only read.
func TestCreateClient_AdministrationAPIReadsByDefault(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		rules := directory.New(directory.Deps{DB: b.DB, Issuer: b.Issuer, Now: b.Now})
		c := directory.NewClient(storage.Service, "operator", "Operator")
		c.AdminAPI = true
		made, _, err := rules.CreateClient(t.Context(), c, providertest.TestOrigin)
		if err != nil || made.Metadata.Scope != storage.ScopeAdminRead {
			t.Errorf("got scope %q and %v, want %s", made.Metadata.Scope, err, storage.ScopeAdminRead)
		}
	})
}
