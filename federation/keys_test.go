package federation_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

// TestKeys_UnknownKeyIDsCauseFewFetches: tokens with unknown key ids cause at most one fetch in
// five seconds, and do not affect other sign-ins.
// FD-31: many unknown key ids; one user cancels during the fetch of the keys.
func TestKeys_UnknownKeyIDsCauseFewFetches(t *testing.T) {
	l, up := lying(t, nil)
	up.mustSignIn(t, "victim")
	l.SetFaults(federationtest.Faults{Header: claims{"kid": "no such key"}})
	for range 20 {
		up.mustRefuse(t, "victim", federation.ErrUntrusted)
	}
	if n := l.CountRequests("GET /jwks"); n > 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
	l.SetFaults(federationtest.Faults{})
	up.mustSignIn(t, "victim")
}

// FD-31: many unknown key ids; one user cancels during the fetch of the keys.
func TestKeys_RotatedKeyIsFound(t *testing.T) {
	l, up := lying(t, nil)
	up.mustSignIn(t, "victim")
	up.clock.move(6 * time.Second)
	l.RotateKey()
	up.mustSignIn(t, "victim")
}

// TestKeys_CancelledCallStopsNoOther: the call that started a fetch is cancelled, and the next
// sign-in still gets the result of the fetch.
// FD-31: many unknown key ids; one user cancels during the fetch of the keys.
func TestKeys_CancelledCallStopsNoOther(t *testing.T) {
	l, up := lying(t, nil)
	l.SetFaults(federationtest.Faults{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := up.Start(gone, federation.Options{RedirectURI: redirectURI}); err != nil && !errors.Is(err, federation.ErrUnreachable) {
		t.Errorf("Start: got %v, want ErrUnreachable", err)
	}
	a, back := up.visit(t, "victim")
	if _, err := up.Finish(gone, a, back); !errors.Is(err, federation.ErrUnreachable) {
		t.Errorf("Finish: got %v, want ErrUnreachable", err)
	}
	up.mustSignIn(t, "victim")
}

func TestDiscovery_ConcurrentCallsShareOneFetch(t *testing.T) {
	l, up := lying(t, nil)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := l.CountRequests("GET /.well-known/openid-configuration"); n != 1 {
		t.Errorf("the document was fetched %d times, want once", n)
	}
	up.clock.move(61 * time.Minute)
	up.mustSignIn(t, "victim")
	if n := l.CountRequests("GET /.well-known/openid-configuration"); n != 2 {
		t.Errorf("after an hour the document was fetched %d times, want twice", n)
	}
}

// TestDiscovery_OutageIsBridged: the cached document is used for a day while the upstream is down.
// If there is no cached document, the fetch is repeated.
func TestDiscovery_OutageIsBridged(t *testing.T) {
	down := federationtest.Faults{Wire: map[string]federationtest.WireFault{"discovery": federationtest.ServerError}}
	l, up := lying(t, nil)
	l.SetFaults(down)
	for range 5 {
		if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); !errors.Is(err, federation.ErrUnreachable) {
			t.Fatalf("got %v, want ErrUnreachable", err)
		}
	}
	if n := l.CountRequests("GET /.well-known/openid-configuration"); n != 1 {
		t.Errorf("the failing document was fetched %d times within the retry time, want once", n)
	}
	l.SetFaults(federationtest.Faults{})
	up.clock.move(6 * time.Second)
	up.mustSignIn(t, "victim")
	l.SetFaults(down)
	up.clock.move(2 * time.Hour)
	up.mustSignIn(t, "victim")
	up.clock.move(24 * time.Hour)
	if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); !errors.Is(err, federation.ErrUnreachable) {
		t.Errorf("after a day: got %v, want ErrUnreachable", err)
	}
}

// TestKeys_SymmetricOnlyIfConfigured: the client secret verifies only if the settings list an HMAC
// algorithm. If they list no other, published keys do not verify.
func TestKeys_SymmetricOnlyIfConfigured(t *testing.T) {
	const secret = "a secret of more than thirty-two bytes"
	f := federationtest.Faults{Header: claims{"alg": "HS256"}, Secret: []byte(secret)}
	l, plain := lying(t, func(c *federation.Config) { c.ClientSecret = federation.NewSecret(secret) })
	l.SetFaults(f)
	plain.mustRefuse(t, "victim", federation.ErrUntrusted)
	l, hmac := lying(t, func(c *federation.Config) {
		c.ClientSecret, c.Algorithms = federation.NewSecret(secret), []string{"HS256"}
	})
	l.SetFaults(f)
	hmac.mustSignIn(t, "victim")
	l.SetFaults(federationtest.Faults{Header: claims{"alg": "HS256"}}) // the public key is the HMAC key
	hmac.mustRefuse(t, "victim", federation.ErrUntrusted)
	l.SetFaults(federationtest.Faults{}) // ES256, which these settings do not list
	hmac.mustRefuse(t, "victim", federation.ErrUntrusted)
}

func TestProbe(t *testing.T) {
	l, up := lying(t, nil)
	r := up.Probe(t.Context(), redirectURI)
	if r.Err != nil || r.Keys != 1 || !r.PKCE || !r.IssuerInCallback || r.Endpoints["token"] != l.URL+"/token" || len(r.Algorithms) != 3 {
		t.Errorf("got %+v", r)
	}
	l.SetFaults(federationtest.Faults{Discovery: claims{"id_token_signing_alg_values_supported": []string{"none"}}})
	if r := up.Probe(t.Context(), redirectURI); !errors.Is(r.Err, federation.ErrMisconfigured) {
		t.Errorf("no common algorithm: got %v, want ErrMisconfigured", r.Err)
	}
	_, gh := gitHub(t, nil)
	if r := gh.Probe(t.Context(), redirectURI); r.Err != nil || r.Endpoints["authorization"] == "" {
		t.Errorf("GitHub: got %+v", r)
	}
}

// TestKeys_BadOnesAreIgnored: a bad key does not stop sign-ins with another key, and verifies no
// token itself.
func TestKeys_BadOnesAreIgnored(t *testing.T) {
	with := func(honest claims, name string, value any) claims {
		changed := maps.Clone(honest)
		changed[name] = value
		return changed
	}
	for name, bad := range map[string]func(honest claims) any{
		"no object":          func(claims) any { return "a key" },
		"half a key":         func(claims) any { return claims{"kty": "RSA", "e": "AQAB"} },
		"RSA of 8 bits":      func(claims) any { return claims{"kty": "RSA", "n": "_w", "e": "AQAB"} },
		"a symmetric key":    func(claims) any { return claims{"kty": "oct", "k": "AAAA"} },
		"a private half":     func(honest claims) any { return with(honest, "d", "AQAB") },
		"no point":           func(honest claims) any { return with(honest, "x", honest["y"]) },
		"another algorithm":  func(honest claims) any { return with(honest, "alg", "ES384") },
		"for encryption":     func(honest claims) any { return with(honest, "use", "enc") },
		"a kid of no string": func(honest claims) any { return with(honest, "kid", 1) },
	} {
		l, up := lying(t, nil)
		l.SetFaults(federationtest.Faults{Keys: func(honest map[string]any) []any { return []any{bad(honest), honest} }})
		up.mustSignIn(t, "victim")
		if r := up.Probe(t.Context(), redirectURI); r.Err != nil || r.Keys != 1 || r.IgnoredKeys != 1 {
			t.Errorf("%s: %d keys, %d ignored: %v", name, r.Keys, r.IgnoredKeys, r.Err)
		}
		l, up = lying(t, nil)
		l.SetFaults(federationtest.Faults{Keys: func(honest map[string]any) []any { return []any{bad(honest)} }})
		up.mustRefuse(t, "victim", federation.ErrUntrusted)
		if r := up.Probe(t.Context(), redirectURI); !errors.Is(r.Err, federation.ErrUntrusted) {
			t.Errorf("%s alone: %v", name, r.Err)
		}
	}
}

// TestNew_InvalidHostsAreRefused in each setting that contains a host.
func TestNew_InvalidHostsAreRefused(t *testing.T) {
	for _, at := range []string{"https://-/", "https://a..b", "https://xn--a.example", "https://127.1", "https://a.example.", "https://[::1%25eth0]"} {
		for key, c := range map[string]federation.Config{
			"issuer":   {ID: "x", Kind: federation.OIDC, ClientID: "x", Issuer: at},
			"base_url": {ID: "x", Kind: federation.GitHub, ClientID: "x", BaseURL: at},
			"hosts":    {ID: "x", Kind: federation.OIDC, ClientID: "x", Issuer: "https://a.example", Hosts: []string{strings.TrimPrefix(at, "https://")}},
		} {
			if _, err := federation.New(c, http.DefaultClient, time.Now); !errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s %s: got %v", key, at, err)
			}
		}
	}
}

func TestPretend_AnswersOnlyLoopbackHosts(t *testing.T) {
	l, _ := lying(t, nil)
	for host, want := range map[string]int{"evil.example": http.StatusMisdirectedRequest, "localhost:1": http.StatusOK, "[::1]": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL+"/jwks", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want || answer.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("as %s: got %d", host, answer.StatusCode)
		}
	}
}
