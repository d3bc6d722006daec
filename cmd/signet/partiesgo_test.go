package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestRelyingParty_XOAuth2 makes the calls of oauth2-proxy and of most programs in Go:
// x/oauth2 does not know how the client authenticates. It tries Basic, and when that
// fails, whatever the reason, it sends the same call again with the secret in the body.
// A lost answer or a 503 must not sign anybody out.
func TestRelyingParty_XOAuth2(t *testing.T) {
	i, behind := newInstanceBehind(t)
	client := i.createClient(t, "--type", "web", "--redirect-uri", nowhere)
	i.serve(t)
	p := newGoParty(t, i, client, "email")
	p.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect

	code := p.code(t, i)
	var tokens *oauth2.Token
	behind.fail(t, "503 before Signet", 1, func() {
		var err error
		if tokens, err = p.Exchange(t.Context(), code); err != nil {
			t.Fatalf("a code whose first call met a 503: %v", err)
		}
	})
	refresh := func() error {
		next, err := p.refreshAnew(t, tokens)
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
			if !p.alive(t, tokens) {
				t.Errorf("after %s the access token is refused", when)
			}
		}
	}
	i.wantNoRefusal(t, client)

	p.ClientSecret = "a guess at the secret, as long as one"
	if err := refresh(); err == nil || !slices.Contains(i.refusals(t, client), "wrong_secret") {
		t.Errorf("a wrong secret: got %v, and refusals for %q", err, i.refusals(t, client))
	}
}

// TestRelyingParty_XOAuth2FindsTheWay: a client that must send its secret in one way
// works with a library that tries Basic first each time, and more often than secrets
// may be guessed.
func TestRelyingParty_XOAuth2FindsTheWay(t *testing.T) {
	i := newInstance(t)
	clients := map[string]createdClient{}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		clients[method] = i.createClient(t, "--type", "web", "--redirect-uri", nowhere, "--token-endpoint-auth-method", method)
	}
	i.serve(t)
	for method, client := range clients {
		t.Run(method, func(t *testing.T) {
			p := newGoParty(t, i, client, "email")
			p.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect
			tokens, err := p.Exchange(t.Context(), p.code(t, i))
			for range 25 {
				if err != nil {
					t.Fatal(err)
				}
				tokens, err = p.refreshAnew(t, tokens)
			}
		})
	}
}

// code signs in with a nonce and without PKCE, as go-oidc's users do.
func (p *goParty) code(t *testing.T, i *instance) string {
	t.Helper()
	b := newFormBrowser(t)
	b.open(p.AuthCodeURL("a state", oidc.Nonce("a nonce")))
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	if b.left == nil {
		b.send("consent", "allow", nil)
	}
	return b.left.Query().Get("code")
}

// refreshAnew refreshes as oauth2-proxy does: it does not remember from one call to
// the next in which way the client authenticates.
func (p *goParty) refreshAnew(t *testing.T, tokens *oauth2.Token) (*oauth2.Token, error) {
	t.Helper()
	forgetful := oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.Endpoint}
	return forgetful.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
}
