package main

import (
	"fmt"
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

	b := newFormBrowser(t)
	b.open(p.AuthCodeURL("a state", oidc.Nonce("a nonce")))
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	b.send("consent", "allow", nil)
	var tokens *oauth2.Token
	behind.fail(t, "503 before Signet", 1, func() {
		var err error
		if tokens, err = p.Exchange(t.Context(), b.left.Query().Get("code")); err != nil {
			t.Fatalf("a code whose first call met a 503: %v", err)
		}
	})
	refresh := func() error {
		// The library remembers the way that worked. oauth2-proxy starts from nothing each time.
		forgetful := oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.Endpoint}
		next, err := forgetful.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
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
	if err := refresh(); err == nil || len(i.refusals(t, client)) == 0 {
		t.Errorf("a wrong secret: got %v, and no event of it", err)
	}
}
