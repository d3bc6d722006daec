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
	"signet/storage"
)

var allAlgorithms = []string{"ES256", "RS256", "EdDSA", "PS256"}

// preferring registers a client that wants its ID tokens signed so, without a
// consent page, and gives the testbed in its hands.
func (b *testbed) preferring(t *testing.T, alg string) *testbed {
	t.Helper()
	return b.as(b.registerWith(t, storage.Web, "likes-"+alg, func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.Metadata.IDTokenSignedResponseAlg, c.SkipConsent = []string{callback}, alg, true
	}))
}

// TestIDToken_SignedAsTheClientAsks has go-oidc check signature, claims and at_hash.
func TestIDToken_SignedAsTheClientAsks(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
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
		v := b.visitor(t)
		v.flow(t)
		for _, alg := range allAlgorithms {
			own := b.preferring(t, alg)
			b.follow(t)
			tokens := own.redeem(t, v.again(t, "client_id", own.Client.ID))
			if got := headerOf(t, tokens["id_token"])["alg"]; got != alg {
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

// An algorithm that one node was restarted with is published and checked by the
// other as soon as it follows.
func TestAlgorithm_AddedNodeByNode(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		second := *b
		second.DB = b.backend.Open(t)
		second.serve(t, func(c *provider.Config) { c.Issuer, c.Algorithms = b.Issuer, []string{"ES256", "RS256", "EdDSA"} })
		server := httptest.NewServer(second.Handler())
		t.Cleanup(server.Close)
		second.Issuer = server.URL

		own := b.preferring(t, "EdDSA")
		at := second.as(own.Client, own.Secret)
		second.follow(t)
		v := b.visitor(t)
		v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		token := at.redeem(t, v.again(t, "client_id", own.Client.ID))["id_token"].(string)
		hint := b.Issuer + "/end_session?" + url.Values{"id_token_hint": {token}}.Encode()
		if a := do(t, direct, mustGet(t, hint)); a.StatusCode != http.StatusOK {
			t.Errorf("the other node does not know the key: %d %s", a.StatusCode, a.Body)
		}
		b.follow(t)
		kid := headerOf(t, token)["kid"].(string)
		if jwks := do(t, direct, mustGet(t, b.Issuer+"/jwks")).Body; !strings.Contains(jwks, kid) {
			t.Errorf("the other node does not publish %s: %s", kid, jwks)
		}
	})
}
