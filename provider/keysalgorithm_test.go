package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

var allAlgorithms = []string{"ES256", "RS256", "EdDSA", "PS256"}

// withIDTokenAlg registers a client with this algorithm for ID tokens and without a consent
// page, and returns the testbed with this client.
func withIDTokenAlg(t *testing.T, b *providertest.Testbed, alg string) *providertest.Testbed {
	t.Helper()
	return b.AsClient(b.RegisterWith(t, storage.Web, "likes-"+alg, func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.Metadata.IDTokenSignedResponseAlg, c.SkipConsent = []string{providertest.Callback}, alg, true
	}))
}

// TestIDToken_HasTheAlgorithmOfTheClient verifies signature, claims and at_hash with go-oidc.
func TestIDToken_HasTheAlgorithmOfTheClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		relyingParty, err := oidc.NewProvider(t.Context(), b.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		var discovered struct {
			Algs []string `json:"id_token_signing_alg_values_supported"`
		}
		if err := relyingParty.Claims(&discovered); err != nil || !slices.Equal(discovered.Algs, allAlgorithms) {
			t.Errorf("discovery lists %v, %v; want %v", discovered.Algs, err, allAlgorithms)
		}
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, alg := range allAlgorithms {
			own := withIDTokenAlg(t, b, alg)
			b.Follow(t)
			tokens := own.Redeem(t, v.CodeFromSession(t, "client_id", own.Client.ID))
			if got := providertest.HeaderOf(t, tokens["id_token"])["alg"]; got != alg {
				t.Errorf("signed with %v, want %s", got, alg)
			}
			verifier := relyingParty.VerifierContext(t.Context(), &oidc.Config{ClientID: own.Client.ID, SupportedSigningAlgs: []string{alg}})
			token, err := verifier.Verify(t.Context(), tokens["id_token"].(string))
			if err == nil {
				err = token.VerifyAccessToken(tokens["access_token"].(string))
			}
			if err != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
	}, func(c *provider.Config) { c.Algorithms = allAlgorithms })
}

// TestAlgorithm_AddedNodeByNode restarts one node with a further algorithm. The other node
// publishes and verifies it as soon as it reloads the keys.
func TestAlgorithm_AddedNodeByNode(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		second := *b
		second.DB = b.Backend.Open(t)
		second.Serve(t, func(c *provider.Config) { c.Issuer, c.Algorithms = b.Issuer, []string{"ES256", "RS256", "EdDSA"} })
		server := httptest.NewServer(second.Handler())
		t.Cleanup(server.Close)
		second.Issuer = server.URL

		own := withIDTokenAlg(t, b, "EdDSA")
		at := second.AsClient(own.Client, own.Secret)
		second.Follow(t)
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		token := at.Redeem(t, v.CodeFromSession(t, "client_id", own.Client.ID))["id_token"].(string)
		hint := b.Issuer + "/end_session?" + url.Values{"id_token_hint": {token}}.Encode()
		if a := providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, hint)); a.StatusCode != http.StatusOK {
			t.Errorf("the other node does not know the key: %d %s", a.StatusCode, a.Body)
		}
		b.Follow(t)
		kid := providertest.HeaderOf(t, token)["kid"].(string)
		if jwks := providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.Issuer+"/jwks")).Body; !strings.Contains(jwks, kid) {
			t.Errorf("the other node does not publish %s: %s", kid, jwks)
		}
	})
}
