package providertest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

// Post sends an authorization request as a form on the client's page does. The request
// comes from another site, so it has no SameSite=Lax cookie.
func (v *Visitor) Post(t *testing.T, params url.Values) Stop {
	t.Helper()
	f := Form{v.Bed.Issuer + "/authorize", params}
	r := v.FormRequest(t, f)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	a := Do(t, Direct, r)
	location := a.Header.Get("Location")
	if location == "" {
		return Stop{Answer: a, At: r.URL}.withPostedResponse(t)
	}
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("POST /authorize redirects with status %d, want 303", a.StatusCode)
	}
	target, err := r.URL.Parse(location)
	if err != nil {
		t.Fatalf("location %q: %v", location, err)
	}
	if target.Host != r.URL.Host {
		return Stop{Answer: a, At: r.URL, LeftTo: target}
	}
	return v.Get(t, target.String())
}

// ByBoth sends an authorization request by GET and by POST and runs f on both results. Both
// methods must have the same rules (OIDC Core, section 3.1.2.1).
func (v *Visitor) ByBoth(t *testing.T, params url.Values, f func(t *testing.T, s Stop)) {
	t.Helper()
	f(t, v.Get(t, v.Bed.Issuer+"/authorize?"+params.Encode()))
	f(t, v.Post(t, params))
}

// Bob is the email address of another user. Testbeds do not create him.
const Bob = "bob@example.com"

// EvilRedirectURI is a redirect URI that no client has registered.
const EvilRedirectURI = "https://evil.example/callback?from=signet"

// MailAPI and FilesAPI are resources (RFC 8707) that AllowEverything gives to the client.
const (
	MailAPI  = "https://mail.example.com"
	FilesAPI = "https://files.example.com/api"
)

// AllowEverything lets the testbed's client request profile and offline access and two resources. It
// returns the parameters of an authorization request for them, for Params.
func (b *Testbed) AllowEverything(t *testing.T) []string {
	t.Helper()
	b.Client.Metadata.Scope = "openid email profile offline_access"
	b.Client.Resources = []string{MailAPI, FilesAPI}
	b.ChangeClient(t, func(*storage.Client) {})
	return []string{
		"scope", "openid email offline_access", "resource", MailAPI,
		"claims", `{"id_token":{"given_name":null},"userinfo":{"zoneinfo":null}}`,
	}
}

// WithoutScope returns a change that removes these scopes from a client.
func WithoutScope(scopes ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		remaining := slices.DeleteFunc(strings.Fields(c.Metadata.Scope), func(s string) bool { return slices.Contains(scopes, s) })
		c.Metadata.Scope = strings.Join(remaining, " ")
	}
}
