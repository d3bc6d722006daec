package parties_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// TestRelyingParty_OpenIDClient signs in with a real browser at a relying party in Node. It
// uses openid-client, a library of another project that is certified for OpenID Connect.
func TestRelyingParty_OpenIDClient(t *testing.T) {
	for _, party := range []struct{ clientType, alg, want string }{
		{"spa", "", "RS256"},
		{"web", "ES256", "ES256"},
	} {
		t.Run(party.clientType+" "+party.want, func(t *testing.T) {
			port := signettest.FreePort(t)
			i := signettest.NewInstance(t)
			home := fmt.Sprintf("http://127.0.0.1:%d", port)
			create := []string{"--type", party.clientType, "--redirect-uri", home + "/callback", "--post-logout-redirect-uri", home + "/bye"}
			if party.alg != "" {
				create = append(create, "--id-token-signed-response-alg", party.alg)
			}
			client := i.CreateClient(t, create...)
			i.Serve(t)

			var saw relyingPartyReport
			signettest.RunInBrowser(t, "relyingparty.mjs", map[string]any{
				"issuer": i.Issuer, "email": i.Email, "password": i.Password, "port": port,
				"client_id": client.ID, "client_secret": client.Secret, "id_token_alg": party.want,
			}, &saw)
			saw.assert(t, i, party.want)
			saw.assertRevocationAndSignOut(t, i, party.clientType == "web")
		})
	}
}

// relyingPartyReport holds the answers to each request of relyingparty.mjs.
type relyingPartyReport struct {
	Nobody, Denied, Allowed, Silent, Again, Refreshed, Gone relyingPartyAnswer

	Introspected struct{ Access, Refresh map[string]any }
	Revoked      struct {
		Access, Alive  map[string]any // userinfo with the revoked access token, and with the next one
		Refresh, Grant map[string]any // a refresh and userinfo, after the refresh token was revoked
	}
	SignedOut  string // path and query of the last page, at the relying party
	Hinted     string // the user name that login_hint filled into the form
	Complaints []string
}

type relyingPartyAnswer struct {
	Error, Cause string
	Claims       map[string]any
	UserInfo     map[string]any
	Alg          string
	Rotated      bool    // the refresh token was replaced
	TokenType    string  `json:"token_type"`
	ExpiresIn    float64 `json:"expires_in"` // seconds
}

func (r relyingPartyReport) assert(t *testing.T, i *signettest.Instance, alg string) {
	t.Helper()
	if r.Nobody.Error != "login_required" {
		t.Errorf("prompt=none with nobody signed in: got %+v, want login_required", r.Nobody)
	}
	if r.Denied.Error != "access_denied" {
		t.Errorf("consent denied: got %+v, want access_denied", r.Denied)
	}
	for name, a := range map[string]relyingPartyAnswer{"allowed": r.Allowed, "silent": r.Silent, "again": r.Again, "refreshed": r.Refreshed} {
		if a.Error != "" {
			t.Errorf("%s: the library reports the error %s %s", name, a.Error, a.Cause)
			continue
		}
		if a.Alg != alg || !strings.EqualFold(a.TokenType, "bearer") || a.ExpiresIn != 15*60 {
			t.Errorf("%s: got %s, %s, %.0f s; want %s, bearer, 900 s", name, a.Alg, a.TokenType, a.ExpiresIn, alg)
		}
		if a.Claims["iss"] != i.Issuer || a.UserInfo["sub"] != a.Claims["sub"] || a.UserInfo["email"] != i.Email {
			t.Errorf("%s: ID token %v, userinfo %v", name, a.Claims, a.UserInfo)
		}
	}
	if r.Silent.Claims["sid"] != r.Allowed.Claims["sid"] || r.Silent.Claims["auth_time"] != r.Allowed.Claims["auth_time"] {
		t.Errorf("prompt=none changed the session: got %v, before it was %v", r.Silent.Claims, r.Allowed.Claims)
	}
	if r.Again.Claims["sid"] != r.Allowed.Claims["sid"] {
		t.Errorf("the same user signed in again with another sid: got %v, before it was %v", r.Again.Claims, r.Allowed.Claims)
	}
	if !r.Refreshed.Rotated || r.Refreshed.Claims["auth_time"] != r.Again.Claims["auth_time"] {
		t.Errorf("a refresh (rotated: %t): got %v, before it was %v", r.Refreshed.Rotated, r.Refreshed.Claims, r.Again.Claims)
	}
	if r.Hinted != i.Email {
		t.Errorf("login_hint filled %q into the form", r.Hinted)
	}
	signettest.RefuseComplaints(t, r.Complaints)
}

// assertRevocationAndSignOut checks introspection, revocation and sign-out. Only clients that authenticate
// may introspect; all may revoke. Revoking an access token ends only this token, revoking a
// refresh token ends the whole grant.
func (r relyingPartyReport) assertRevocationAndSignOut(t *testing.T, i *signettest.Instance, authenticates bool) {
	t.Helper()
	sub := r.Again.Claims["sub"]
	for name, answer := range map[string]map[string]any{"access": r.Introspected.Access, "refresh": r.Introspected.Refresh} {
		switch {
		case !authenticates && answer["error"] != "invalid_client":
			t.Errorf("a client without a secret introspects the %s token: got %v, want invalid_client", name, answer)
		case authenticates && (answer["active"] != true || answer["sub"] != sub || answer["iss"] != i.Issuer):
			t.Errorf("introspection of the %s token: got %v", name, answer)
		}
	}
	if r.Revoked.Access["error"] != "invalid_token" || r.Revoked.Alive["sub"] != sub {
		t.Errorf("userinfo after the access token was revoked: got %v with the revoked token, %v with the next one", r.Revoked.Access, r.Revoked.Alive)
	}
	if r.Revoked.Refresh["error"] != "invalid_grant" || r.Revoked.Grant["error"] != "invalid_token" {
		t.Errorf("after the refresh token was revoked: a refresh got %v, userinfo got %v", r.Revoked.Refresh, r.Revoked.Grant)
	}
	if r.SignedOut != "/bye?state=a+state" && r.SignedOut != "/bye?state=a%20state" {
		t.Errorf("the sign-out ended at %s", r.SignedOut)
	}
	if r.Gone.Error != "login_required" {
		t.Errorf("prompt=none after the sign-out: got %+v, want login_required", r.Gone)
	}
}

// TestRelyingParty_OAuth4WebAPI takes each step separately, with a library that checks
// every answer strictly. The client is a web client that may also use client_credentials.
func TestRelyingParty_OAuth4WebAPI(t *testing.T) {
	i := signettest.NewInstance(t)
	port := signettest.FreePort(t)
	redirect, bye := fmt.Sprintf("http://127.0.0.1:%d/callback", port), fmt.Sprintf("http://127.0.0.1:%d/bye", port)
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", redirect, "--post-logout-redirect-uri", bye,
		"--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", "client_credentials",
		"--scope", "openid email offline_access photos:read")
	i.Serve(t)
	var saw struct {
		Claims, Refreshed, UserInfo, Access, Own, Offline, Dead map[string]any

		Rotated, SignedOut bool
		Introspected       []map[string]any // the first refresh token, the second, the access token
		Revoked            any
		Complaints         []string
	}
	signettest.RunInBrowser(t, "bareparty.mjs", map[string]any{
		"issuer": i.Issuer, "email": i.Email, "password": i.Password,
		"client_id": client.ID, "client_secret": client.Secret, "port": port, "redirect_uri": redirect, "bye": bye,
	}, &saw)
	sub := saw.Claims["sub"]
	for _, want := range []struct {
		name      string
		got, want any
	}{
		{"userinfo email", saw.UserInfo["email"], i.Email},
		{"access token client_id", saw.Access["client_id"], client.ID},
		{"access token sub", saw.Access["sub"], sub},
		{"sub after a refresh", saw.Refreshed["sub"], sub},
		{"auth_time after a refresh", saw.Refreshed["auth_time"], saw.Claims["auth_time"]},
		{"the refresh token was replaced", saw.Rotated, true},
		{"the previous refresh token", fmt.Sprint(saw.Introspected[0]), "map[active:false]"},
		{"the current refresh token", saw.Introspected[1]["active"], true},
		{"the current access token", saw.Introspected[2]["active"], true},
		{"the client's own token", saw.Own["sub"], client.ID},
		{"the scope of the client's own token", saw.Own["scope"], "photos:read"},
		{"signed out with its state", saw.SignedOut, true},
		{"offline access after the sign-out", saw.Offline["sub"], sub},
		{"a refresh after the revocation", saw.Revoked, "invalid_grant"},
		{"the access token after the revocation", fmt.Sprint(saw.Dead), "map[active:false]"},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.name, want.got, want.want)
		}
	}
	signettest.RefuseComplaints(t, saw.Complaints)
}

// TestRelyingParty_GoOIDC signs in at a relying party in Go, with a browser that supports
// only HTML forms, and then redeems the code a second time.
func TestRelyingParty_GoOIDC(t *testing.T) {
	i := signettest.NewInstance(t)
	const callback = "http://127.0.0.1:9/callback" // nothing listens there
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", callback)
	i.Serve(t)

	provider, err := oidc.NewProvider(t.Context(), i.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	config := oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: callback,
		Endpoint: endpoint, Scopes: []string{oidc.ScopeOpenID, "email"},
	}
	verifier := oauth2.GenerateVerifier()

	b := signettest.NewFormBrowser(t)
	b.Open(config.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)))
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Send("consent", "allow", nil)
	answer := b.Left.Query()
	if !strings.HasPrefix(b.Left.String(), callback+"?") || answer.Get("state") != "a state" || answer.Get("iss") != i.Issuer {
		t.Fatalf("the browser was sent to %s, want the callback with state and iss", b.Left)
	}

	tokens, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "a nonce" {
		t.Errorf("nonce: got %q", id.Nonce)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error(err)
	}
	info, err := provider.UserInfo(t.Context(), config.TokenSource(t.Context(), tokens))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != i.Email {
		t.Errorf("userinfo: got %+v, want subject %s and %s", info, id.Subject, i.Email)
	}

	// RFC 6749, section 4.1.2: a code that is redeemed twice was probably stolen.
	if _, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier)); !strings.Contains(fmt.Sprint(err), "invalid_grant") {
		t.Errorf("the same code again: got %v, want invalid_grant", err)
	}
	if _, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens)); err == nil {
		t.Error("userinfo accepts the access token after the replay of its code")
	}
}
