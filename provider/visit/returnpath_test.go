package visit_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// HT-10: Open redirect by return_to, next, redirect. This test sends some foreign addresses
// to the endpoint; package request tests the full list.
func TestReturnTo_ForeignAddressShowsPage(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			to := func(address string) string {
				return b.Issuer + "/login?" + url.Values{"return_to": {address}}.Encode()
			}
			for _, address := range []string{
				"//evil.example", `/\evil.example`, "/%09/evil.example", "/..//evil.example", "https:evil.example", "javascript:alert(1)", "//", "/%252fevil.example",
				"https://evil.example/", "\t//evil.example", "/\r\nSet-Cookie: x=1", b.Issuer + "@evil.example/", b.Issuer + ".evil.example/", path + "x/account",
			} {
				v.Get(t, to(address)).WantPage(t, http.StatusBadRequest, "invalid_return_to")
				// Other parameter names are ignored.
				s := v.Get(t, b.Issuer+"/login?"+url.Values{"next": {address}, "redirect": {address}, "redirect_uri": {address}, "rd": {address}}.Encode())
				if s.At.Path != path+"/login" || strings.Contains(s.Body, "evil") {
					t.Errorf("%q: at %s:\n%s", address, s.At, s.Body)
				}
			}
			s := v.SignIn(t, v.Get(t, to(path+"/?x=%2F%2Fevil.example")), providertest.Alice, providertest.Password)
			if s.LeftTo != nil || s.At.Path != path+"/" || s.At.RawQuery != "x=%2F%2Fevil.example" {
				t.Errorf("after the sign-in: at %s, left to %v", s.At, s.LeftTo)
			}
			// A sign-in for a page of this server gives no consent and no code.
			v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "consent_required")
		}, providertest.WithIssuerPath(path))
	}
}
