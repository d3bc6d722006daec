package demo_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// askAs requests a URL with another Host header, and follows no redirect.
func askAs(t *testing.T, method, url, host string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// TestDev_AnswersOnlyHostsOfThisMachine checks that a page on the internet reads nothing if
// its host name points at this machine, neither from the demo nor from the provider.
func TestDev_AnswersOnlyHostsOfThisMachine(t *testing.T) {
	d := signettest.StartDev(t)
	port := d.Issuer[strings.LastIndexByte(d.Issuer, ':'):]
	for _, path := range []string{"/demo", "/demo/login", "/", "/login", "/authorize", "/token", "/jwks", "/.well-known/openid-configuration", "/healthz", "/readyz", "/static/x", "/nowhere", "/session"} {
		for _, host := range []string{"evil.example", "evil.example" + port, "localhost.evil.example" + port, "192.168.1.2" + port, "0.0.0.0" + port, "[::]" + port, "evillocalhost"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions} {
				a, body := askAs(t, method, d.Issuer+path, host)
				if a.StatusCode != http.StatusMisdirectedRequest || len(a.Cookies()) != 0 || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Frame-Options") != "DENY" {
					t.Fatalf("%s %s as %s: got %d, %v", method, path, host, a.StatusCode, a.Header)
				}
				if method != http.MethodHead && (!strings.Contains(body, "host_not_loopback") || !strings.Contains(body, d.Issuer)) {
					t.Fatalf("%s %s as %s: the answer does not say what to do: %s", method, path, host, body)
				}
			}
		}
		for _, host := range []string{"localhost" + port, "LOCALHOST:5173", "app.localhost" + port, "127.0.0.1", "127.3.2.1:1", "[::1]" + port} {
			if a, _ := askAs(t, http.MethodGet, d.Issuer+path, host); a.StatusCode == http.StatusMisdirectedRequest {
				t.Errorf("%s as %s is refused", path, host)
			}
		}
	}
}

// TestDemo_HeadDoesNotAct checks that HEAD neither starts nor ends a sign-in.
func TestDemo_HeadDoesNotAct(t *testing.T) {
	d := signettest.StartDev(t)
	for path, want := range map[string]int{
		"/demo": http.StatusOK, "/demo/login": http.StatusMethodNotAllowed, "/demo/callback?code=x&state=y": http.StatusMethodNotAllowed, "/demo/logout": http.StatusMethodNotAllowed,
	} {
		a, body := askAs(t, http.MethodHead, d.Issuer+path, "")
		if a.StatusCode != want || body != "" || len(a.Header.Values("Set-Cookie")) != 0 || want != http.StatusOK && a.Header.Get("Allow") == "" {
			t.Errorf("HEAD %s: got %d, %v", path, a.StatusCode, a.Header)
		}
	}
}
