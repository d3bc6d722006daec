package provider_test

import (
	"net/http"
	"testing"

	"signet/provider/providertest"
)

func TestRoutes_AllAreServed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range providertest.Routes(t) {
			get, post := b.CallRoute(t, http.MethodGet, path, nil), b.CallRoute(t, http.MethodPost, path, nil)
			if get.StatusCode == http.StatusNotFound && post.StatusCode == http.StatusNotFound {
				t.Errorf("GET and POST %s: got 404", path)
			}
			for _, a := range []providertest.Answer{get, post} {
				if a.StatusCode >= 500 {
					t.Errorf("%s %s: got %d", a.Request.Method, path, a.StatusCode)
				}
			}
		}
	}, providertest.WithLocalhost) // the passkey endpoints exist only where passkeys are offered
}

// TestRoutes_UnknownPathLeadsToTheStartPage: the page for an unknown path links to the start
// page, and that page links to the account.
func TestRoutes_UnknownPathLeadsToTheStartPage(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			lost := v.Get(t, b.Issuer+"/nowhere")
			lost.WantPage(t, http.StatusNotFound, "not_found")
			home := v.Get(t, lost.Link(t, "start"))
			home.WantAt(t, path+"/")
			page := v.SignIn(t, v.Get(t, home.Link(t, "account")), providertest.Alice, providertest.Password)
			page.WantAt(t, path+"/account")
			if back := v.Get(t, lost.Link(t, "start")).Link(t, "account"); back != b.Issuer+"/account" {
				t.Errorf("signed in, the start page leads to %s", back)
			}
		}, providertest.WithIssuerPath(path))
	}
}
