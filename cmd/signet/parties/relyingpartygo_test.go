package parties_test

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

	"signet/cmd/signet/signettest"
)

// refresh gives new tokens, or the error of the refusal.
func refresh(p *signettest.GoParty, ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return p.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// alive reports whether userinfo accepts the access token.
func alive(t *testing.T, p *signettest.GoParty, token *oauth2.Token) bool {
	t.Helper()
	_, err := p.Provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil && !strings.Contains(err.Error(), "401") {
		t.Fatalf("userinfo: %v", err)
	}
	return err == nil
}

// post sends a token to an endpoint as this client.
func post(t *testing.T, p *signettest.GoParty, endpoint, token string) map[string]any {
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
	i := signettest.NewInstance(t)
	const bye = "http://127.0.0.1:9/bye"
	client := i.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--post-logout-redirect-uri", bye)
	i.Serve(t)
	p := signettest.NewGoParty(t, i, client, oidc.ScopeOfflineAccess)
	b := signettest.NewFormBrowser(t)
	first := p.SignIn(t, i, b)

	second, err := refresh(p, t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || !alive(t, p, second) {
		t.Errorf("a refresh gave %+v after %+v", second, first)
	}
	raw, _ := second.Extra("id_token").(string)
	if _, err := p.Provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw); err != nil {
		t.Errorf("the ID token of the refresh: %v", err)
	}
	if got := post(t, p, p.More.Introspection, first.RefreshToken); got["active"] != false || len(got) != 2 {
		t.Errorf("the refresh token before: %v", got)
	}
	if got := post(t, p, p.More.Introspection, second.AccessToken); got["active"] != true || got["client_id"] != client.ID {
		t.Errorf("the access token now: %v", got)
	}

	b.Open(p.More.EndSession + "?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}, "state": {"out"}}.Encode())
	if b.Left == nil || b.Left.String() != bye+"?state=out" {
		t.Errorf("the sign-out sends the browser to %v", b.Left)
	}
	b.Open(p.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if signettest.FindByID(b.Page, "login") == nil {
		t.Errorf("signed out, and a sign-in shows %s", b.At)
	}

	// Offline access has gone on, until it is given back.
	third, err := refresh(p, t.Context(), second.RefreshToken)
	if err != nil || !alive(t, p, third) {
		t.Fatalf("a refresh after the sign-out: %v", err)
	}
	if got := post(t, p, p.More.Revocation, third.RefreshToken); got["status"] != http.StatusOK {
		t.Errorf("the revocation: %v", got)
	}
	if _, err := refresh(p, t.Context(), third.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") || alive(t, p, third) {
		t.Errorf("after the revocation: %v", err)
	}
}

// TestRelyingParty_GoServiceWithItsOwnScopes gets a token for the service itself,
// and lets an API that an administrator allowed introspect it.
func TestRelyingParty_GoServiceWithItsOwnScopes(t *testing.T) {
	i := signettest.NewInstance(t)
	robot := i.CreateClient(t, "--type", "service", "--scope", "photos:read", "--scope", "photos:write")
	auditor := i.CreateClient(t, "--type", "service", "--introspect")
	stranger := i.CreateClient(t, "--type", "service")
	i.Serve(t)
	config := clientcredentials.Config{
		ClientID: robot.ID, ClientSecret: robot.Secret, TokenURL: i.Issuer + "/token",
		Scopes: []string{"photos:read"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	token, err := config.Token(t.Context())
	if err != nil || token.RefreshToken != "" {
		t.Fatalf("got %+v, %v", token, err)
	}
	for name, c := range map[string]struct {
		client signettest.CreatedClient
		active bool
	}{"the service itself": {robot, true}, "an auditor": {auditor, true}, "a stranger": {stranger, false}} {
		got := post(t, signettest.NewGoParty(t, i, c.client), i.Issuer+"/introspect", token.AccessToken)
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
	i := signettest.NewInstance(t)
	client := i.CreateClient(t, "--type", "service", "--scope", "a")
	i.Serve(t)
	works := func(secret string) bool {
		config := clientcredentials.Config{ClientID: client.ID, ClientSecret: secret, TokenURL: i.Issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}
		_, err := config.Token(t.Context())
		if err != nil && !strings.Contains(err.Error(), "invalid_client") {
			t.Fatal(err)
		}
		return err == nil
	}
	var second, third signettest.CreatedClient
	i.Command(t, "", &second, "client", "secret", "rotate", client.ID, "--json")
	signettest.Eventually(t, 10*time.Second, "the new secret works", func() bool { return works(second.Secret) })
	if !works(client.Secret) {
		t.Error("the old secret died although the two overlap")
	}
	i.Command(t, "", &third, "client", "secret", "rotate", client.ID, "--overlap", "0s", "--json")
	signettest.Eventually(t, 10*time.Second, "the third secret works", func() bool { return works(third.Secret) })
	if works(client.Secret) || works(second.Secret) {
		t.Error("an old secret lives although nothing overlaps")
	}
}

// TestCommands_EndWhatAPersonHas: each command about a user, a session or a client
// does to a signed-in browser and its tokens what it says, at a running server.
func TestCommands_EndWhatAPersonHas(t *testing.T) {
	i := signettest.NewInstance(t)
	client := i.CreateClient(t, "--redirect-uri", signettest.Nowhere)
	i.CreateClient(t, "--type", "spa", "--first-party", "--redirect-uri", i.Issuer+"/")
	i.Serve(t)
	online, offline := signettest.NewGoParty(t, i, client), signettest.NewGoParty(t, i, client, oidc.ScopeOfflineAccess)
	for _, c := range []struct {
		name    string
		do      func(sid string)
		offline bool // offline access goes on
	}{
		{"session end", func(sid string) { i.Command(t, "", nil, "session", "end", sid, "--user", i.Email) }, true},
		{"user sign-out", func(string) { i.Command(t, "", nil, "user", "sign-out", i.Email) }, false},
		{"user set-password", func(string) {
			i.Password = "a wholly other sentence"
			i.Command(t, i.Password, nil, "user", "set-password", i.Email, "--password-stdin")
		}, false},
		{"user disable", func(string) {
			i.Command(t, "", nil, "user", "disable", i.Email)
			i.Command(t, "", nil, "user", "enable", i.Email)
		}, false},
		{"user update --email", func(string) {
			before := i.Email
			i.Email = "new-" + i.Email
			i.Command(t, "", nil, "user", "update", before, "--email", i.Email)
		}, false},
		{"user delete", func(string) { // who comes after with the same address is another
			i.Command(t, "", nil, "user", "delete", i.Email, "--yes")
			i.Command(t, i.Password, nil, "user", "create", "--email", i.Email, "--password-stdin")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, other := signettest.NewFormBrowser(t), signettest.NewFormBrowser(t)
			here, there := online.SignIn(t, i, b), offline.SignIn(t, i, other)
			var list struct {
				Sessions []struct {
					SessionID string `json:"sid"`
					Address   string
					Clients   []string
				}
			}
			i.Command(t, "", &list, "session", "list", i.Email, "--json")
			if len(list.Sessions) != 2 || !slices.Equal(list.Sessions[0].Clients, []string{client.ID}) || list.Sessions[0].Address != "127.0.0.1" {
				t.Fatalf("there are the sessions %+v", list.Sessions)
			}
			if status, body := callApp(b, i, http.MethodPost, "/refresh"); status != http.StatusOK {
				t.Fatalf("before, /refresh answers %d: %s", status, body)
			}
			for _, s := range list.Sessions {
				c.do(s.SessionID)
			}
			i.Command(t, "", &list, "session", "list", i.Email, "--json")
			if len(list.Sessions) != 0 {
				t.Errorf("there still are the sessions %+v", list.Sessions)
			}
			if alive(t, online, here) {
				t.Error("the online access token lives")
			}
			for name, token := range map[string]string{"access": here.AccessToken, "refresh": here.RefreshToken} {
				if got := post(t, online, online.More.Introspection, token); got["active"] != false {
					t.Errorf("introspection of the online %s token: %v", name, got)
				}
			}
			if _, err := refresh(online, t.Context(), here.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") {
				t.Errorf("the online refresh token: %v", err)
			}
			if status, body := callApp(b, i, http.MethodPost, "/refresh"); status != http.StatusUnauthorized {
				t.Errorf("/refresh answers %d: %s", status, body)
			}
			if _, body := callApp(b, i, http.MethodGet, "/session"); strings.TrimSpace(body) != `{"authenticated":false}` {
				t.Errorf("/session says %s", body)
			}
			if got := alive(t, offline, there); got != c.offline {
				t.Errorf("the offline access token lives: %t", got)
			}
			b.Open(online.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
			if signettest.FindByID(b.Page, "login") == nil {
				t.Errorf("the browser is signed in, at %s", b.At)
			}
		})
	}

	b := signettest.NewFormBrowser(t)
	tokens := online.SignIn(t, i, b)
	i.Command(t, "", nil, "client", "disable", client.ID)
	signettest.Eventually(t, 10*time.Second, "the server refuses the disabled client", func() bool { return !alive(t, online, tokens) })
	i.Command(t, "", nil, "client", "enable", client.ID)
	signettest.Eventually(t, 10*time.Second, "the server takes the enabled client", func() bool { return alive(t, online, tokens) })
	i.Command(t, "", nil, "client", "delete", client.ID, "--yes")
	signettest.Eventually(t, 10*time.Second, "the server knows the client no more", func() bool {
		_, err := refresh(online, t.Context(), tokens.RefreshToken)
		return strings.Contains(fmt.Sprint(err), "invalid_client")
	})
}

// callApp makes a call as the first-party app does in this browser.
func callApp(b *signettest.FormBrowser, i *signettest.Instance, method, path string) (status int, body string) {
	b.T.Helper()
	request, err := http.NewRequestWithContext(b.T.Context(), method, i.Issuer+path, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	request.Header.Set("Origin", i.Issuer)
	answer, err := b.Client.Do(request)
	if err != nil {
		b.T.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	return answer.StatusCode, string(read)
}
