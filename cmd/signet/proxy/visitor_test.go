package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestProxies_VisitorAndHostAreTheRightOnes sends forged headers through a proxy: Signet logs
// the address that the proxy sees, and every URL stays below the issuer. Plain HTTP leads to
// HTTPS.
func TestProxies_VisitorAndHostAreTheRightOnes(t *testing.T) {
	eachProxy(t, func(t *testing.T, proxy string) {
		s := startSite(t, proxy)
		transport := s.proxy.transport(t, visitor{from: "127.0.0.2"}) // 127.0.0.1 is the proxy, which Signet trusts
		for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "True-Client-IP"} {
			forged := map[string]string{"X-Forwarded-For": "203.0.113.66, 127.0.0.1", "X-Forwarded-Proto": "http", "Forwarded": "for=203.0.113.66;host=evil.example;proto=http"}[name]
			if forged == "" {
				forged = "203.0.113.66"
			}
			answer := exchange{method: "GET", target: "/account?by=" + name, header: map[string]string{name: forged, "Accept": "text/html"}}.send(t, transport, issuer)
			if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || strings.Contains(to, "203.0") || strings.Contains(to, "evil") || strings.HasPrefix(to, "http:") {
				t.Errorf("with a forged %s: %s to %q", name, answer.Status, to)
			}
		}
		lines := func() (found []string) {
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, `"path":"/account"`) {
					found = append(found, line)
				}
			}
			return found
		}
		signettest.Eventually(t, 10*time.Second, "the requests are in the log", func() bool { return len(lines()) == 7 })
		for _, line := range lines() {
			if !strings.Contains(line, `"address":"127.0.0.2"`) {
				t.Errorf("the log has another address than 127.0.0.2: %s", line)
			}
		}
		plain := exchange{method: "GET", target: "/account?a=b"}.send(t, transport, "http://id.example.com")
		to := strings.Replace(plain.Header.Get("Location"), s.proxy.https[strings.Index(s.proxy.https, ":"):], "", 1)
		if plain.StatusCode/100 != 3 || to != issuer+"/account?a=b" {
			t.Errorf("plain HTTP: %s to %q", plain.Status, to)
		}
	})
}
