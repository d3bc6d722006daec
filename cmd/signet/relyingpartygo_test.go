package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// moreEndpoints are those that go-oidc does not know by itself.
type moreEndpoints struct {
	EndSession    string `json:"end_session_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

// goParty is a relying party on go-oidc and x/oauth2. The endpoints that these
// libraries do not know it calls by hand.
type goParty struct {
	oauth2.Config
	provider *oidc.Provider
	more     moreEndpoints
}

func newGoParty(t *testing.T, i *instance, client createdClient, scopes ...string) *goParty {
	t.Helper()
	p := &goParty{}
	var err error
	if p.provider, err = oidc.NewProvider(t.Context(), i.issuer); err == nil {
		err = p.provider.Claims(&p.more)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Config = oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: nowhere, Scopes: append([]string{oidc.ScopeOpenID}, scopes...),
		Endpoint: p.provider.Endpoint(),
	}
	p.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return p
}

// signIn goes through sign-in and consent in that browser, where they are asked for,
// and redeems the code.
func (p *goParty) signIn(t *testing.T, i *instance, b *formBrowser) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	b.left = nil
	b.open(p.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
	if b.left == nil {
		b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	}
	if b.left == nil {
		b.send("consent", "allow", nil)
	}
	tokens, err := p.Exchange(t.Context(), b.left.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// refresh gives new tokens, or the error of the refusal.
func (p *goParty) refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return p.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// alive reports whether userinfo accepts the access token.
func (p *goParty) alive(t *testing.T, token *oauth2.Token) bool {
	t.Helper()
	_, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil && !strings.Contains(err.Error(), "401") {
		t.Fatalf("userinfo: %v", err)
	}
	return err == nil
}

// post sends a token to an endpoint as this client.
func (p *goParty) post(t *testing.T, endpoint, token string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(p.ClientID, p.ClientSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := map[string]any{"status": response.StatusCode}
	if response.ContentLength != 0 {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatalf("%s answers %s: %v", endpoint, response.Status, err)
		}
	}
	return answer
}

// TestRelyingParty_GoOIDCToTheEnd refreshes, introspects, signs out and revokes.
func TestRelyingParty_GoOIDCToTheEnd(t *testing.T) {
	i := newInstance(t)
	const bye = "http://127.0.0.1:9/bye"
	client := i.createClient(t, "--redirect-uri", nowhere, "--post-logout-redirect-uri", bye)
	i.serve(t)
	p := newGoParty(t, i, client, oidc.ScopeOfflineAccess)
	b := newFormBrowser(t)
	first := p.signIn(t, i, b)

	second, err := p.refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || !p.alive(t, second) {
		t.Errorf("a refresh gave %+v after %+v", second, first)
	}
	raw, _ := second.Extra("id_token").(string)
	if _, err := p.provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw); err != nil {
		t.Errorf("the ID token of the refresh: %v", err)
	}
	if got := p.post(t, p.more.Introspection, first.RefreshToken); got["active"] != false || len(got) != 2 {
		t.Errorf("the refresh token before: %v", got)
	}
	if got := p.post(t, p.more.Introspection, second.AccessToken); got["active"] != true || got["client_id"] != client.ID {
		t.Errorf("the access token now: %v", got)
	}

	b.open(p.more.EndSession + "?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}, "state": {"out"}}.Encode())
	if b.left == nil || b.left.String() != bye+"?state=out" {
		t.Errorf("the sign-out sends the browser to %v", b.left)
	}
	b.open(p.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if findByID(b.page, "login") == nil {
		t.Errorf("signed out, and a sign-in shows %s", b.at)
	}

	// Offline access has gone on, until it is given back.
	third, err := p.refresh(t.Context(), second.RefreshToken)
	if err != nil || !p.alive(t, third) {
		t.Fatalf("a refresh after the sign-out: %v", err)
	}
	if got := p.post(t, p.more.Revocation, third.RefreshToken); got["status"] != http.StatusOK {
		t.Errorf("the revocation: %v", got)
	}
	if _, err := p.refresh(t.Context(), third.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") || p.alive(t, third) {
		t.Errorf("after the revocation: %v", err)
	}
}

// TestRelyingParty_GoServiceWithItsOwnScopes gets a token for the service itself,
// and lets an API that an administrator allowed introspect it.
func TestRelyingParty_GoServiceWithItsOwnScopes(t *testing.T) {
	i := newInstance(t)
	robot := i.createClient(t, "--type", "service", "--scope", "photos:read", "--scope", "photos:write")
	auditor := i.createClient(t, "--type", "service", "--introspect")
	stranger := i.createClient(t, "--type", "service")
	i.serve(t)
	config := clientcredentials.Config{
		ClientID: robot.ID, ClientSecret: robot.Secret, TokenURL: i.issuer + "/token",
		Scopes: []string{"photos:read"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	token, err := config.Token(t.Context())
	if err != nil || token.RefreshToken != "" {
		t.Fatalf("got %+v, %v", token, err)
	}
	for name, c := range map[string]struct {
		client createdClient
		active bool
	}{"the service itself": {robot, true}, "an auditor": {auditor, true}, "a stranger": {stranger, false}} {
		got := newGoParty(t, i, c.client).post(t, i.issuer+"/introspect", token.AccessToken)
		if got["active"] != c.active || (c.active && got["scope"] != "photos:read") {
			t.Errorf("%s sees %v", name, got)
		}
	}
	for _, scope := range []string{"photos:delete", "openid", "offline_access"} {
		config.Scopes = []string{scope}
		if _, err := config.Token(t.Context()); !strings.Contains(fmt.Sprint(err), "invalid_scope") {
			t.Errorf("%s: got %v, want invalid_scope", scope, err)
		}
	}
}

// TestSecretRotate_TwoAreGood: while they overlap both secrets work at a running
// server, and with no overlap the old one dies.
func TestSecretRotate_TwoAreGood(t *testing.T) {
	i := newInstance(t)
	client := i.createClient(t, "--type", "service", "--scope", "a")
	i.serve(t)
	works := func(secret string) bool {
		config := clientcredentials.Config{ClientID: client.ID, ClientSecret: secret, TokenURL: i.issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}
		_, err := config.Token(t.Context())
		if err != nil && !strings.Contains(err.Error(), "invalid_client") {
			t.Fatal(err)
		}
		return err == nil
	}
	var second, third createdClient
	i.command(t, "", &second, "client", "secret", "rotate", client.ID, "--json")
	eventually(t, 10*time.Second, "the new secret works", func() bool { return works(second.Secret) })
	if !works(client.Secret) {
		t.Error("the old secret died although the two overlap")
	}
	i.command(t, "", &third, "client", "secret", "rotate", client.ID, "--overlap", "0s", "--json")
	eventually(t, 10*time.Second, "the third secret works", func() bool { return works(third.Secret) })
	if works(client.Secret) || works(second.Secret) {
		t.Error("an old secret lives although nothing overlaps")
	}
}

// TestCommands_EndWhatAPersonHas: each command about a user, a session or a client
// does to a signed-in browser and its tokens what it says, at a running server.
func TestCommands_EndWhatAPersonHas(t *testing.T) {
	i := newInstance(t)
	client := i.createClient(t, "--redirect-uri", nowhere)
	i.createClient(t, "--type", "spa", "--first-party", "--redirect-uri", i.issuer+"/")
	i.serve(t)
	online, offline := newGoParty(t, i, client), newGoParty(t, i, client, oidc.ScopeOfflineAccess)
	for _, c := range []struct {
		name    string
		do      func(sid string)
		offline bool // offline access goes on
	}{
		{"session end", func(sid string) { i.command(t, "", nil, "session", "end", sid, "--user", i.email) }, true},
		{"user sign-out", func(string) { i.command(t, "", nil, "user", "sign-out", i.email) }, false},
		{"user set-password", func(string) {
			i.password = "a wholly other sentence"
			i.command(t, i.password, nil, "user", "set-password", i.email, "--password-stdin")
		}, false},
		{"user disable", func(string) {
			i.command(t, "", nil, "user", "disable", i.email)
			i.command(t, "", nil, "user", "enable", i.email)
		}, false},
		{"user update --email", func(string) {
			before := i.email
			i.email = "new-" + i.email
			i.command(t, "", nil, "user", "update", before, "--email", i.email)
		}, false},
		{"user delete", func(string) { // who comes after with the same address is another
			i.command(t, "", nil, "user", "delete", i.email, "--yes")
			i.command(t, i.password, nil, "user", "create", "--email", i.email, "--password-stdin")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, other := newFormBrowser(t), newFormBrowser(t)
			here, there := online.signIn(t, i, b), offline.signIn(t, i, other)
			var list struct {
				Sessions []struct {
					SessionID string `json:"sid"`
					Address   string
					Clients   []string
				}
			}
			i.command(t, "", &list, "session", "list", i.email, "--json")
			if len(list.Sessions) != 2 || !slices.Equal(list.Sessions[0].Clients, []string{client.ID}) || list.Sessions[0].Address != "127.0.0.1" {
				t.Fatalf("there are the sessions %+v", list.Sessions)
			}
			if status, body := b.callApp(i, http.MethodPost, "/refresh"); status != http.StatusOK {
				t.Fatalf("before, /refresh answers %d: %s", status, body)
			}
			for _, s := range list.Sessions {
				c.do(s.SessionID)
			}
			i.command(t, "", &list, "session", "list", i.email, "--json")
			if len(list.Sessions) != 0 {
				t.Errorf("there still are the sessions %+v", list.Sessions)
			}
			if online.alive(t, here) {
				t.Error("the online access token lives")
			}
			for name, token := range map[string]string{"access": here.AccessToken, "refresh": here.RefreshToken} {
				if got := online.post(t, online.more.Introspection, token); got["active"] != false {
					t.Errorf("introspection of the online %s token: %v", name, got)
				}
			}
			if _, err := online.refresh(t.Context(), here.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") {
				t.Errorf("the online refresh token: %v", err)
			}
			if status, body := b.callApp(i, http.MethodPost, "/refresh"); status != http.StatusUnauthorized {
				t.Errorf("/refresh answers %d: %s", status, body)
			}
			if _, body := b.callApp(i, http.MethodGet, "/session"); strings.TrimSpace(body) != `{"authenticated":false}` {
				t.Errorf("/session says %s", body)
			}
			if got := offline.alive(t, there); got != c.offline {
				t.Errorf("the offline access token lives: %t", got)
			}
			b.open(online.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
			if findByID(b.page, "login") == nil {
				t.Errorf("the browser is signed in, at %s", b.at)
			}
		})
	}

	b := newFormBrowser(t)
	tokens := online.signIn(t, i, b)
	i.command(t, "", nil, "client", "disable", client.ID)
	eventually(t, 10*time.Second, "the server refuses the disabled client", func() bool { return !online.alive(t, tokens) })
	i.command(t, "", nil, "client", "enable", client.ID)
	eventually(t, 10*time.Second, "the server takes the enabled client", func() bool { return online.alive(t, tokens) })
	i.command(t, "", nil, "client", "delete", client.ID, "--yes")
	eventually(t, 10*time.Second, "the server knows the client no more", func() bool {
		_, err := online.refresh(t.Context(), tokens.RefreshToken)
		return strings.Contains(fmt.Sprint(err), "invalid_client")
	})
}

// callApp makes a call as the first-party app does in this browser.
func (b *formBrowser) callApp(i *instance, method, path string) (status int, body string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, i.issuer+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Origin", i.issuer)
	answer, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}
