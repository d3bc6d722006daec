package provider_test

import (
	"net/http"
	"testing"

	"signet/provider/providertest"
)

func TestRoutes_AllAreServed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range providertest.Routes(t) {
			get, post := b.Call(t, http.MethodGet, path, nil), b.Call(t, http.MethodPost, path, nil)
			if get.StatusCode == http.StatusNotFound && post.StatusCode == http.StatusNotFound {
				t.Errorf("there is nothing at %s", path)
			}
			for _, a := range []providertest.Answer{get, post} {
				if a.StatusCode >= 500 {
					t.Errorf("%s %s: got %d", a.Request.Method, path, a.StatusCode)
				}
			}
		}
	})
}

// Who is nowhere finds the start page, and from there the way in.
func TestRoutes_NowhereLeadsToTheStartPage(t *testing.T) {
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
		}, providertest.Under(path))
	}
}
