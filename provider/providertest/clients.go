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

// Basic is the Authorization header of client_secret_basic (RFC 6749, section 2.3.1).
func Basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// BehindProxy lets a test choose the client's address.
func BehindProxy(c *provider.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
}

// PostAsClient asks a form endpoint as a client of an address.
func (b *Testbed) PostAsClient(t *testing.T, path, id, secret, address string) Answer {
	t.Helper()
	return b.Post(t, path, FormType, strings.NewReader(b.GoodForm(path, "none").Encode()), func(r *http.Request) {
		r.Header.Set("Authorization", Basic(id, secret))
		r.Header.Set("X-Forwarded-For", address)
	})
}

// WantRefusedClient wants invalid_client with 401, and no Retry-After.
func WantRefusedClient(t *testing.T, what string, a Answer) {
	t.Helper()
	if a.StatusCode != http.StatusUnauthorized || a.JSON(t)["error"] != "invalid_client" || a.Header.Get("Retry-After") != "" {
		t.Fatalf("%s: got %d %s, want it refused and not throttled", what, a.StatusCode, a.Body)
	}
}
