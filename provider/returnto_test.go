package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHT10_ReturnTo goes through the door; the list of addresses is the room's.
func TestHT10_ReturnTo(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			v := b.visitor(t)
			to := func(address string) string {
				return b.Issuer + "/login?" + url.Values{"return_to": {address}}.Encode()
			}
			for _, address := range []string{
				"//evil.example", `/\evil.example`, "/%09/evil.example", "/..//evil.example", "https:evil.example", "javascript:alert(1)", "//", "/%252fevil.example",
				"https://evil.example/", "\t//evil.example", "/\r\nSet-Cookie: x=1", b.Issuer + "@evil.example/", b.Issuer + ".evil.example/", path + "x/account",
			} {
				v.get(t, to(address)).wantPage(t, http.StatusBadRequest, "invalid_return_to")
				// Other names for it are not read.
				s := v.get(t, b.Issuer+"/login?"+url.Values{"next": {address}, "redirect": {address}, "redirect_uri": {address}, "rd": {address}}.Encode())
				if s.At.Path != path+"/login" || strings.Contains(s.Body, "evil") {
					t.Errorf("%q: at %s:\n%s", address, s.At, s.Body)
				}
			}
			s := v.signIn(t, v.get(t, to(path+"/?x=%2F%2Fevil.example")), alice, password)
			if s.Left != nil || s.At.Path != path+"/" || s.At.RawQuery != "x=%2F%2Fevil.example" {
				t.Errorf("after the sign-in: at %s, left to %v", s.At, s.Left)
			}
			// A sign-in for a page of ours gives nobody's consent and no code.
			v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "consent_required")
		}, under(path))
	}
}
