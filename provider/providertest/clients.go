package providertest

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"signet/provider"
)

// Basic returns the Authorization header of client_secret_basic (RFC 6749, section 2.3.1).
func Basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// BehindProxy trusts X-Forwarded-For, so that a test can choose the client's IP address.
func BehindProxy(c *provider.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

// PostAsClient posts a valid form to the endpoint at path, with this client id and secret,
// from this IP address. It needs BehindProxy.
func (b *Testbed) PostAsClient(t *testing.T, path, id, secret, address string) Answer {
	t.Helper()
	return b.Post(t, path, FormType, strings.NewReader(b.GoodForm(path, "none").Encode()), func(r *http.Request) {
		r.Header.Set("Authorization", Basic(id, secret))
		r.Header.Set("X-Forwarded-For", address)
	})
}

// WantRefusedClient fails the test unless the answer is invalid_client with status 401 and
// no Retry-After header. The failure message begins with label.
func WantRefusedClient(t *testing.T, label string, a Answer) {
	t.Helper()
	if a.StatusCode != http.StatusUnauthorized || a.JSON(t)["error"] != "invalid_client" || a.Header.Get("Retry-After") != "" {
		t.Fatalf("%s: got %d %s, want 401 invalid_client without Retry-After", label, a.StatusCode, a.Body)
	}
}
