package parties_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// TestRelyingParty_XOAuth2 makes the calls of oauth2-proxy and of most programs in Go:
// x/oauth2 does not know how the client authenticates. It tries Basic, and when that
// fails, whatever the reason, it sends the same call again with the secret in the body.
// A lost answer or a 503 must not sign anybody out.
func TestRelyingParty_XOAuth2(t *testing.T) {
	i, behind := newInstanceBehind(t)
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", signettest.Nowhere)
	i.Serve(t)
	p := signettest.NewGoParty(t, i, client, "email")
	p.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect

	code := code(t, p, i)
	var tokens *oauth2.Token
	behind.fail(t, "503 before Signet", 1, func() {
		var err error
		if tokens, err = p.Exchange(t.Context(), code); err != nil {
			t.Fatalf("a code whose first call met a 503: %v", err)
		}
	})
	refresh := func() error {
		next, err := refreshAnew(t, p, tokens)
		if err == nil {
			tokens = next
		}
		return err
	}
	for fault := range tokenFaults {
		for times := range 4 {
			when := fmt.Sprintf("%s, %d times", fault, times)
			if times > 0 {
				behind.fail(t, fault, times, func() {
					if err := refresh(); (err != nil) != (times > 1) {
						t.Errorf("%s: a refresh gave %v", when, err)
					}
				})
			}
			if err := refresh(); err != nil {
				t.Fatalf("a refresh after %s: %v", when, err)
			}
			if !alive(t, p, tokens) {
				t.Errorf("after %s the access token is refused", when)
			}
		}
	}
	wantNoRefusal(t, i, client)

	p.ClientSecret = "a guess at the secret, as long as one"
	if err := refresh(); err == nil || !slices.Contains(refusals(t, i, client), "wrong_secret") {
		t.Errorf("a wrong secret: got %v, and refusals for %q", err, refusals(t, i, client))
	}
}

// TestRelyingParty_XOAuth2FindsTheWay: a client that must send its secret in one way
// works with a library that tries Basic first each time, and more often than secrets
// may be guessed.
func TestRelyingParty_XOAuth2FindsTheWay(t *testing.T) {
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
			tokens, err := p.Exchange(t.Context(), code(t, p, i))
			for range 25 {
				if err != nil {
					t.Fatal(err)
				}
				tokens, err = refreshAnew(t, p, tokens)
			}
		})
	}
}

// code signs in with a nonce and without PKCE, as go-oidc's users do.
func code(t *testing.T, p *signettest.GoParty, i *signettest.Instance) string {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(p.AuthCodeURL("a state", oidc.Nonce("a nonce")))
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.Left == nil {
		b.Send("consent", "allow", nil)
	}
	return b.Left.Query().Get("code")
}

// refreshAnew refreshes as oauth2-proxy does: it does not remember from one call to
// the next in which way the client authenticates.
func refreshAnew(t *testing.T, p *signettest.GoParty, tokens *oauth2.Token) (*oauth2.Token, error) {
	t.Helper()
	forgetful := oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.Endpoint}
	return forgetful.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
}
