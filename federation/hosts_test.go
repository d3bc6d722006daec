package federation_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"signet/federation"
)

// TestDiscovery_EndpointHosts: endpoints may be in the issuer's registered domain and on the hosts
// that the kind or the settings list. A shared domain such as github.io is not enough.
// FD-18: a discovery document with another issuer, or with endpoints on http or another host.
func TestDiscovery_EndpointHosts(t *testing.T) {
	for name, c := range map[string]struct {
		issuer, endpoint string
		hosts            []string
		want             error
	}{
		"same host":           {"https://login.corp.example", "https://login.corp.example/token", nil, nil},
		"same domain":         {"https://login.corp.example", "https://api.corp.example/token", nil, nil},
		"named by settings":   {"https://login.corp.example", "https://corp-idp.example/token", []string{"corp-idp.example"}, nil},
		"other domain":        {"https://login.corp.example", "https://corp-idp.example/token", nil, federation.ErrUntrusted},
		"looks like it":       {"https://login.corp.example", "https://notcorp.example/token", nil, federation.ErrUntrusted},
		"domain in front":     {"https://login.corp.example", "https://login.corp.example.evil.test/token", nil, federation.ErrUntrusted},
		"name before the @":   {"https://login.corp.example", "https://login.corp.example@evil.test/token", nil, federation.ErrUntrusted},
		"neighbours":          {"https://a.github.io", "https://b.github.io/token", nil, federation.ErrUntrusted},
		"neighbouring number": {"https://10.0.0.5", "https://99.9.0.5/token", nil, federation.ErrUntrusted},
		"down to http":        {"https://login.corp.example", "http://127.0.0.1/token", nil, federation.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			up := connectToAnyHost(t, federation.Config{Kind: federation.OIDC, Issuer: c.issuer, Hosts: c.hosts}, claims{
				"issuer": c.issuer, "authorization_endpoint": c.issuer + "/auth", "token_endpoint": c.endpoint, "jwks_uri": c.issuer + "/jwks",
			})
			if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestGoogle_EndpointHosts reads the endpoints of the real discovery document.
func TestGoogle_EndpointHosts(t *testing.T) {
	up := connectToAnyHost(t, federation.Config{Kind: federation.Google}, claims{
		"issuer": "https://accounts.google.com", "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
		"token_endpoint": "https://oauth2.googleapis.com/token", "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
		"jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
	})
	if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); err != nil {
		t.Error(err)
	}
}

// TestDiscovery_InvalidCertificateIsUntrusted: the error is not ErrUnreachable, because a later try
// would not help.
// CF-07: TLS to upstreams: verification off, old versions, option ignored.
func TestDiscovery_InvalidCertificateIsUntrusted(t *testing.T) {
	server := serveDocument(t, claims{})
	up := connect(t, federation.Config{Kind: federation.OIDC, ClientID: "c", ClientSecret: federation.NewSecret("s"), Issuer: server.URL}, newClock())
	_, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
	if !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
	checkErrorContract(t, err)
}

func serveDocument(t *testing.T, document claims) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(document)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the test makes handshakes fail
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// connectToAnyHost returns a connector whose calls to any host reach one test server.
func connectToAnyHost(t *testing.T, c federation.Config, document claims) federation.Connector {
	t.Helper()
	server := serveDocument(t, document)
	anyHost := server.Client()
	transport := anyHost.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // the name in the certificate
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	anyHost.Transport = transport
	c.ID, c.ClientID, c.ClientSecret = "up", "c", federation.NewSecret("s")
	up, err := federation.New(c, anyHost, newClock().now)
	if err != nil {
		t.Fatal(err)
	}
	return up
}
