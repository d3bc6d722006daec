package user_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// ofTheSignIn lists the claims about a sign-in; all other claims are about the person.
var ofTheSignIn = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}

// fillers holds for each claim the flags of `signet user update` that set it, and the claim's value.
var fillers = map[string]struct {
	flags []string
	want  any
}{
	"email":                 {nil, "alice@example.com"}, // set at creation
	"email_verified":        {nil, true},
	"updated_at":            {nil, "a number"},
	"phone_number":          {[]string{"--phone-number", "+41 44 668 18 00"}, "+41446681800"},
	"phone_number_verified": {[]string{"--phone-number-verified"}, true},
	"roles":                 {[]string{"--role", "ops"}, []any{"ops"}},
	"groups":                {[]string{"--group", "staff"}, []any{"staff"}},
	"address": {
		[]string{"--address-formatted", "1 Square\nLondon", "--address-country", "GB"},
		map[string]any{"formatted": "1 Square\nLondon", "country": "GB"},
	},
	"preferred_username": {[]string{"--preferred-username", "alice"}, "alice"},
}

// released returns the claims of userinfo and of the ID token.
func released(t *testing.T, i *signettest.Instance, client signettest.CreatedClient, scopes []string, claims string) (userinfo, idToken map[string]any) {
	t.Helper()
	p := signettest.NewGoParty(t, i, client, scopes...)
	b := signettest.NewFormBrowser(t)
	verifier := oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce("a nonce")}
	if claims != "" {
		options = append(options, oauth2.SetAuthURLParam("claims", claims))
	}
	b.Open(p.AuthCodeURL("a state", options...))
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.Left == nil {
		t.Fatalf("scopes %q: still at %s", scopes, b.Text())
	}
	tokens, err := p.Exchange(t.Context(), b.Left.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.Provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.Provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := info.Claims(&userinfo); err != nil {
		t.Fatal(err)
	}
	if err := id.Claims(&idToken); err != nil {
		t.Fatal(err)
	}
	return userinfo, idToken
}

// advertised returns the claims about people and the scopes that a running server advertises.
func advertised(t *testing.T, i *signettest.Instance) (claims, scopes []string) {
	t.Helper()
	var discovery struct {
		Claims []string `json:"claims_supported"`
		Scopes []string `json:"scopes_supported"`
	}
	_, body := signettest.Get(t, i.Issuer+"/.well-known/openid-configuration")
	if err := json.Unmarshal([]byte(body), &discovery); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(discovery.Claims, func(name string) bool { return slices.Contains(ofTheSignIn, name) }), discovery.Scopes
}

// flagsFor returns the flags of `signet user update` that set a claim; false if there are none.
func flagsFor(claim string) ([]string, bool) {
	if filler, special := fillers[claim]; special {
		return filler.flags, true
	}
	value := values[claim].right
	return []string{"--" + strings.ReplaceAll(claim, "_", "-"), value}, value != ""
}

// emptied returns the same flags with empty values, which clear the fields.
func emptied(flags []string) []string {
	empty := slices.Clone(flags)
	for i, word := range flags {
		switch {
		case word == "--phone-number-verified":
			empty[i] += "=false"
		case !strings.HasPrefix(word, "--"):
			empty[i] = ""
		}
	}
	return empty
}

// wantClaim checks that a claim has the value that was set.
func wantClaim(t *testing.T, where, name string, got any) {
	t.Helper()
	want := any(values[name].stored)
	if filler, special := fillers[name]; special {
		want = filler.want
	}
	if number, is := got.(float64); is && want == "a number" && number > 0 {
		return
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %s is %v, want %v", where, name, got, want)
	}
}

// A command can set every claim that the discovery document advertises. Userinfo returns it for
// exactly one of the advertised scopes. The claims parameter alone requests it from userinfo and
// the ID token. Without both it is absent.
func TestClaims_EachAdvertisedClaimCanBeSetAndReleased(t *testing.T) {
	i := signettest.NewInstance(t)
	i.Serve(t)
	client := i.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent")
	names, scopes := advertised(t, i)
	var flags []string
	asked := map[string]any{}
	for _, name := range names {
		own, known := flagsFor(name)
		if !known {
			t.Fatalf("%s is advertised, but no command sets it", name)
		}
		flags, asked[name] = append(flags, own...), nil
	}
	parameter, err := json.Marshal(map[string]any{"userinfo": asked, "id_token": asked})
	if err != nil {
		t.Fatal(err)
	}
	i.Command(t, "", nil, append([]string{"user", "update", i.Email}, flags...)...)

	wantEachByOneScope(t, i, client, names, scopes)
	userinfo, idToken := released(t, i, client, nil, string(parameter))
	for _, name := range names {
		wantClaim(t, "userinfo by the claims parameter", name, userinfo[name])
		wantClaim(t, "ID token by the claims parameter", name, idToken[name])
	}

	i.Command(t, "", nil, append([]string{"user", "update", i.Email}, emptied(flags)...)...)
	userinfo, _ = released(t, i, client, scopes, string(parameter))
	for _, name := range names {
		if kept := slices.Contains([]string{"email", "email_verified", "updated_at"}, name); (userinfo[name] != nil) != kept {
			t.Errorf("after all fields were cleared, userinfo has %s = %v", name, userinfo[name])
		}
	}
}

// wantEachByOneScope checks that userinfo returns each claim about the person for exactly one
// scope, that no ID token contains it, and that every ID token contains the claims about the
// sign-in.
func wantEachByOneScope(t *testing.T, i *signettest.Instance, client signettest.CreatedClient, names, scopes []string) {
	t.Helper()
	byScope := map[string][]string{}
	for _, scope := range scopes {
		userinfo, idToken := released(t, i, client, []string{scope}, "")
		for _, name := range names {
			if userinfo[name] != nil {
				byScope[name] = append(byScope[name], scope)
				wantClaim(t, "userinfo by scope "+scope, name, userinfo[name])
			}
			if idToken[name] != nil {
				t.Errorf("scope %s puts %s into the ID token", scope, name)
			}
		}
		for _, name := range ofTheSignIn {
			if idToken[name] == nil {
				t.Errorf("scope %s: %s is missing in the ID token", scope, name)
			}
		}
	}
	for _, name := range names {
		if len(byScope[name]) != 1 {
			t.Errorf("%s is returned for the scopes %q, want one scope", name, byScope[name])
		}
	}
}
