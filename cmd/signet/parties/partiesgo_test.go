package parties_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// TestRelyingParty_XOAuth2 makes the calls of oauth2-proxy and of most programs in Go.
// The library x/oauth2 does not know how the client authenticates. It tries Basic; if that
// fails for any reason, it repeats the call with the secret in the body. A lost answer or
// a 503 must not sign anybody out.
func TestRelyingParty_XOAuth2(t *testing.T) {
	i, front := newInstanceBehindFront(t)
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", signettest.Nowhere)
	i.Serve(t)
	p := signettest.NewGoParty(t, i, client, "email")
	p.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect

	code := signInForCode(t, p, i)
	var tokens *oauth2.Token
	front.fail(t, "503 before Signet", 1, func() {
		var err error
		if tokens, err = p.Exchange(t.Context(), code); err != nil {
			t.Fatalf("redeem a code after a 503: %v", err)
		}
	})
	refresh := func() error {
		next, err := refreshWithNewConfig(t, p, tokens)
		if err == nil {
			tokens = next
		}
		return err
	}
	for fault := range tokenFaults {
		for times := range 4 {
			when := fmt.Sprintf("%s, %d times", fault, times)
			if times > 0 {
				front.fail(t, fault, times, func() {
					if err := refresh(); (err != nil) != (times > 1) {
						t.Errorf("%s: a refresh returned the error %v", when, err)
					}
				})
			}
			if err := refresh(); err != nil {
				t.Fatalf("a refresh after %s: %v", when, err)
			}
			if !userInfoAccepts(t, p, tokens) {
				t.Errorf("after %s the access token is refused", when)
			}
		}
	}
	wantNoRefusal(t, i, client)

	p.ClientSecret = "a guess at the secret, as long as one"
	if err := refresh(); err == nil || !slices.Contains(refusals(t, i, client), "wrong_secret") {
		t.Errorf("a wrong secret: got %v and refusals %q, want the refusal wrong_secret", err, refusals(t, i, client))
	}
}

// TestRelyingParty_XOAuth2FindsAuthMethod tests clients with a fixed authentication method and
// a library that tries Basic first each time. The library succeeds, also after more tries
// than the limit for wrong secrets allows.
func TestRelyingParty_XOAuth2FindsAuthMethod(t *testing.T) {
	i := signettest.NewInstance(t)
	clients := map[string]signettest.CreatedClient{}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		clients[method] = i.CreateClient(t, "--type", "web", "--redirect-uri", signettest.Nowhere, "--token-endpoint-auth-method", method)
	}
	i.Serve(t)
	for method, client := range clients {
		t.Run(method, func(t *testing.T) {
			p := signettest.NewGoParty(t, i, client, "email")
			p.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
			tokens, err := p.Exchange(t.Context(), signInForCode(t, p, i))
			for range 25 {
				if err != nil {
					t.Fatal(err)
				}
				tokens, err = refreshWithNewConfig(t, p, tokens)
			}
		})
	}
}

// signInForCode signs in with a nonce and without PKCE, as programs with go-oidc do, and returns
// the authorization code.
func signInForCode(t *testing.T, p *signettest.GoParty, i *signettest.Instance) string {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(p.AuthCodeURL("a state", oidc.Nonce("a nonce")))
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.Left == nil {
		b.Send("consent", "allow", nil)
	}
	return b.Left.Query().Get("code")
}

// refreshWithNewConfig refreshes like oauth2-proxy, with a new configuration for each call: the
// library does not remember how the client authenticated before.
func refreshWithNewConfig(t *testing.T, p *signettest.GoParty, tokens *oauth2.Token) (*oauth2.Token, error) {
	t.Helper()
	config := oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.Endpoint}
	return config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
}
