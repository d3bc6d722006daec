package oauth_test

import (
	"net/http"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
)

// Password managers read at the root of the host where people add and manage passkeys. Where no
// passkeys are offered, the document does not exist.
func TestPasskeyEndpoints_NameThePages(t *testing.T) {
	const path = "/.well-known/passkey-endpoints"
	for _, c := range []struct{ issuer, chosen string }{{"https://id.example.com", ""}, {"https://id.example.com", "example.com"}, {"https://id.example.com/auth", ""}} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			a := v.Fetch(t, "https://id.example.com"+path)
			want := `{"enroll":"` + c.issuer + `/account/passkeys/add","manage":"` + c.issuer + `/account/passkeys"}`
			if a.StatusCode != http.StatusOK || a.Body != want {
				t.Fatalf("%+v: status %d, %s, want %s", c, a.StatusCode, a.Body, want)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json", "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
			} {
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			again, err := http.NewRequest(http.MethodGet, "https://id.example.com"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			again.Header.Set("If-None-Match", a.Header.Get("ETag"))
			if a := providertest.Do(t, v.Client, again); a.StatusCode != http.StatusNotModified {
				t.Errorf("with its ETag: status %d, want 304", a.StatusCode)
			}
			for _, url := range []string{c.issuer + "/account/passkeys/add", c.issuer + "/account/passkeys"} {
				if a := v.Fetch(t, url); a.StatusCode != http.StatusSeeOther {
					t.Errorf("%s: status %d, want the way to the sign-in", url, a.StatusCode)
				}
			}
		}, providertest.WithIssuer(c.issuer), func(p *provider.Config) { p.PasskeyRPID = c.chosen })
	}
	for _, issuer := range []string{"", "https://192.0.2.1"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			b.Visitor(t).Get(t, b.Issuer+path).WantPage(t, http.StatusNotFound, "not_found")
		}, providertest.WithIssuerIfSet(issuer))
	}
}
