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

// refresh returns new tokens, or the error of the token endpoint.
func refresh(p *signettest.GoParty, ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	return p.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
}

// userInfoAccepts reports whether userinfo accepts the access token.
func userInfoAccepts(t *testing.T, p *signettest.GoParty, token *oauth2.Token) bool {
	t.Helper()
	_, err := p.Provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	if err != nil && !strings.Contains(err.Error(), "401") {
		t.Fatalf("userinfo: %v", err)
	}
	return err == nil
}

// postToken sends a token to an endpoint with the credentials of this client. It returns the
// answer, with the status code as "status".
func postToken(t *testing.T, p *signettest.GoParty, endpoint, token string) map[string]any {
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

// TestRelyingParty_GoOIDCRefreshSignOutAndRevoke refreshes, introspects, signs out and revokes.
func TestRelyingParty_GoOIDCRefreshSignOutAndRevoke(t *testing.T) {
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
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || !userInfoAccepts(t, p, second) {
		t.Errorf("a refresh: got %+v, before it was %+v; want new tokens that work", second, first)
	}
	raw, _ := second.Extra("id_token").(string)
	if _, err := p.Provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw); err != nil {
		t.Errorf("the ID token of the refresh: %v", err)
	}
	if got := postToken(t, p, p.More.Introspection, first.RefreshToken); got["active"] != false || len(got) != 2 {
		t.Errorf("introspection of the previous refresh token: got %v", got)
	}
	if got := postToken(t, p, p.More.Introspection, second.AccessToken); got["active"] != true || got["client_id"] != client.ID {
		t.Errorf("introspection of the current access token: got %v", got)
	}

	b.Open(p.More.EndSession + "?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}, "state": {"out"}}.Encode())
	if b.Left == nil || b.Left.String() != bye+"?state=out" {
		t.Errorf("the sign-out sends the browser to %v", b.Left)
	}
	b.Open(p.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	if signettest.FindByID(b.Page, "login") == nil {
		t.Errorf("a sign-in after the sign-out shows %s, want the sign-in form", b.At)
	}

	// The sign-out does not end offline access; revocation does.
	third, err := refresh(p, t.Context(), second.RefreshToken)
	if err != nil || !userInfoAccepts(t, p, third) {
		t.Fatalf("a refresh after the sign-out: %v", err)
	}
	if got := postToken(t, p, p.More.Revocation, third.RefreshToken); got["status"] != http.StatusOK {
		t.Errorf("the revocation: got %v", got)
	}
	if _, err := refresh(p, t.Context(), third.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") || userInfoAccepts(t, p, third) {
		t.Errorf("a refresh after the revocation: got %v, want invalid_grant", err)
	}
}

// TestRelyingParty_GoServiceWithItsOwnScopes requests a token for the service itself. Only
// this service, and an API with the introspect permission, may introspect the token.
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
		got := postToken(t, signettest.NewGoParty(t, i, c.client), i.Issuer+"/introspect", token.AccessToken)
		if got["active"] != c.active || (c.active && got["scope"] != "photos:read") {
			t.Errorf("introspection by %s: got %v", name, got)
		}
	}
	for _, scope := range []string{"photos:delete", "openid", "offline_access"} {
		config.Scopes = []string{scope}
		if _, err := config.Token(t.Context()); !strings.Contains(fmt.Sprint(err), "invalid_scope") {
			t.Errorf("%s: got %v, want invalid_scope", scope, err)
		}
	}
}

// TestSecretRotate_OldSecretWorksDuringOverlap rotates a client secret while the server runs. Both secrets
// work during the overlap; without an overlap the old secrets stop working at once.
func TestSecretRotate_OldSecretWorksDuringOverlap(t *testing.T) {
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
		t.Error("the old secret does not work during the overlap")
	}
	i.Command(t, "", &third, "client", "secret", "rotate", client.ID, "--overlap", "0s", "--json")
	signettest.Eventually(t, 10*time.Second, "the third secret works", func() bool { return works(third.Secret) })
	if works(client.Secret) || works(second.Secret) {
		t.Error("an old secret works after a rotation without overlap")
	}
}

// TestCommands_EndSessionsAndTokens runs each command about a user, a session or a client
// beside a running server, and checks its effect on a signed-in browser and its tokens.
func TestCommands_EndSessionsAndTokens(t *testing.T) {
	i := signettest.NewInstance(t)
	client := i.CreateClient(t, "--redirect-uri", signettest.Nowhere)
	i.CreateClient(t, "--type", "spa", "--first-party", "--redirect-uri", i.Issuer+"/")
	i.Serve(t)
	online, offline := signettest.NewGoParty(t, i, client), signettest.NewGoParty(t, i, client, oidc.ScopeOfflineAccess)
	for _, c := range []struct {
		name    string
		do      func(sid string)
		offline bool // offline access stays valid
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
		{"user delete", func(string) { // a later user with the same email address is another user
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
				t.Fatalf("before the command: got the sessions %+v", list.Sessions)
			}
			if status, body := callAsApp(b, i, http.MethodPost, "/refresh"); status != http.StatusOK {
				t.Fatalf("before the command, /refresh answers %d: %s", status, body)
			}
			for _, s := range list.Sessions {
				c.do(s.SessionID)
			}
			i.Command(t, "", &list, "session", "list", i.Email, "--json")
			if len(list.Sessions) != 0 {
				t.Errorf("after the command: got the sessions %+v, want none", list.Sessions)
			}
			if userInfoAccepts(t, online, here) {
				t.Error("the online access token is still accepted")
			}
			for name, token := range map[string]string{"access": here.AccessToken, "refresh": here.RefreshToken} {
				if got := postToken(t, online, online.More.Introspection, token); got["active"] != false {
					t.Errorf("introspection of the online %s token: got %v, want inactive", name, got)
				}
			}
			if _, err := refresh(online, t.Context(), here.RefreshToken); !strings.Contains(fmt.Sprint(err), "invalid_grant") {
				t.Errorf("the online refresh token: got %v, want invalid_grant", err)
			}
			if status, body := callAsApp(b, i, http.MethodPost, "/refresh"); status != http.StatusUnauthorized {
				t.Errorf("after the command, /refresh answers %d: %s", status, body)
			}
			if _, body := callAsApp(b, i, http.MethodGet, "/session"); strings.TrimSpace(body) != `{"authenticated":false}` {
				t.Errorf("/session answers %s", body)
			}
			if got := userInfoAccepts(t, offline, there); got != c.offline {
				t.Errorf("the offline access token is accepted: got %t, want %t", got, c.offline)
			}
			b.Open(online.AuthCodeURL("again", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
			if signettest.FindByID(b.Page, "login") == nil {
				t.Errorf("the browser is still signed in, at %s", b.At)
			}
		})
	}

	b := signettest.NewFormBrowser(t)
	tokens := online.SignIn(t, i, b)
	i.Command(t, "", nil, "client", "disable", client.ID)
	signettest.Eventually(t, 10*time.Second, "the server refuses the disabled client", func() bool { return !userInfoAccepts(t, online, tokens) })
	i.Command(t, "", nil, "client", "enable", client.ID)
	signettest.Eventually(t, 10*time.Second, "the server accepts the enabled client", func() bool { return userInfoAccepts(t, online, tokens) })
	i.Command(t, "", nil, "client", "delete", client.ID, "--yes")
	signettest.Eventually(t, 10*time.Second, "the server refuses the deleted client", func() bool {
		_, err := refresh(online, t.Context(), tokens.RefreshToken)
		return strings.Contains(fmt.Sprint(err), "invalid_client")
	})
}

// callAsApp sends a request like the first-party app in this browser.
func callAsApp(b *signettest.FormBrowser, i *signettest.Instance, method, path string) (status int, body string) {
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
