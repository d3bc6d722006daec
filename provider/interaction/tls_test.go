package interaction_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"signet/federation"
	"signet/provider"
	"signet/provider/providertest"
)

// No request is sent to an upstream with an untrusted certificate. If the operator adds its
// authority, the trip starts.
// CF-07: TLS to upstreams and databases is verified, 1.2 or newer.
func TestFederation_UntrustedCertificateShowsPage(t *testing.T) {
	var asked atomic.Int64
	upstream := httptest.NewUnstartedServer(nil)
	upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		at := upstream.URL
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/jwks",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	authority := x509.NewCertPool()
	authority.AddCert(upstream.Certificate())
	for name, roots := range map[string]*x509.CertPool{"unknown authority": nil, "added by the operator": authority} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				v := b.Visitor(t)
				left := v.Submit(t, v.Get(t, b.AuthorizeURL()).FormTo(t, "/login/corp", "", ""))
				if roots != nil {
					if left.LeftTo == nil || !strings.HasPrefix(left.LeftTo.String(), upstream.URL+"/authorize?") {
						t.Fatalf("at %s, left to %v", left.At, left.LeftTo)
					}
					return
				}
				v.WantProblem(t, left, http.StatusBadGateway, "upstream_untrusted")
				wantWayBack(t, v, left)
				if n := asked.Load(); n != 0 {
					t.Errorf("the upstream got %d requests, want 0", n)
				}
			}, func(c *provider.Config) {
				c.Outbound.Roots = roots
				c.Connectors = []provider.Connector{{Config: federation.Config{
					ID: "corp", Kind: federation.OIDC, Name: "Corp", Issuer: upstream.URL, ClientID: "signet", ClientSecret: federation.NewSecret("secret"),
				}}}
			})
		})
		asked.Store(0)
	}
}
