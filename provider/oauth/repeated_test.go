package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// wantSets fails if a list in the answer or in its tokens contains a value twice. scope counts as
// a list.
func wantSets(t *testing.T, what string, answer map[string]any) {
	t.Helper()
	var check func(at string, value any)
	check = func(at string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, one := range value {
				check(at+"."+name, one)
			}
		case []any:
			var seen []string
			for _, one := range value {
				text, _ := json.Marshal(one)
				if slices.Contains(seen, string(text)) {
					t.Errorf("%s: %s contains %s twice: %v", what, at, text, value)
				}
				seen = append(seen, string(text))
				check(at, one)
			}
		case string:
			if strings.HasSuffix(at, ".scope") {
				words := strings.Split(value, " ")
				if slices.Sort(words); len(slices.Compact(words)) != len(strings.Split(value, " ")) {
					t.Errorf("%s: %s is %q", what, at, value)
				}
			}
		}
	}
	check("answer", answer)
	for _, kind := range []string{"access_token", "id_token"} {
		if token, ok := answer[kind].(string); ok {
			check(kind, providertest.ClaimsOf(t, token))
		}
	}
}

// The test repeats values in every list parameter, at every endpoint that accepts it. The client
// and the user are stored with repeated values too, as former versions stored them.
func TestRepeated_ValuesComeBackOnce(t *testing.T) {
	const api, other = "https://api.example.com/", "urn:other"
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.CreateUser(t, storage.User{Email: "twice@example.com", EmailVerified: true, Roles: []string{"a", "b", "a"}, Groups: []string{"g", "g"}}, providertest.Password)
		client, secret := b.RegisterWith(t, storage.Web, "twice", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent, c.Introspects = []string{providertest.Callback, providertest.Callback}, true, true
			c.Metadata.Scope = "openid email roles groups offline_access openid email"
			c.Resources = []string{api, other, api, b.Issuer}
		})
		twice := b.AsClient(client, secret)
		v := twice.Visitor(t)
		params := twice.Params("scope", "openid  openid email roles roles groups email", "prompt", "login login", "acr_values", "urn:signet:1fa phr urn:signet:1fa", "ui_locales", "de en de",
			"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:signet:1fa","urn:signet:1fa"]},"roles":null,"groups":null},"userinfo":{"roles":null}}`)
		params["resource"] = []string{api, other, api, twice.Issuer, other}
		s := v.SignIn(t, v.Get(t, b.Issuer+"/authorize?"+params.Encode()), "twice@example.com", providertest.Password)
		form := twice.CodeForm(s.Code(t))
		answer := twice.TokenRequest(t, form).JSON(t)
		wantSets(t, "code", answer)
		if got := answer["scope"]; got != "openid email roles groups" {
			t.Errorf("scope of the code: %v", got)
		}
		if aud := providertest.ClaimsOf(t, answer["access_token"])["aud"]; !slices.Equal(aud.([]any), []any{api, other, b.Issuer}) {
			t.Errorf("aud of the code: %v", aud)
		}
		wantSets(t, "userinfo", b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "+answer["access_token"].(string)).JSON(t))
		wantSets(t, "introspection", twice.Introspect(t, answer["access_token"]))

		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {answer["refresh_token"].(string)}, "scope": {"openid email openid email"}, "resource": {api, api, other, api}}
		refreshed := twice.TokenRequest(t, refresh).JSON(t)
		wantSets(t, "refresh", refreshed)
		if aud := providertest.ClaimsOf(t, refreshed["access_token"])["aud"]; refreshed["scope"] != "openid email" || !slices.Equal(aud.([]any), []any{api, other}) {
			t.Errorf("refresh: scope %v, aud %v", refreshed["scope"], aud)
		}

		params.Set("prompt", "none none")
		form = twice.CodeForm(v.Get(t, b.Issuer+"/authorize?"+params.Encode()).Code(t))
		form["resource"] = []string{other, other}
		named := twice.TokenRequest(t, form).JSON(t)
		wantSets(t, "code with resource", named)
		if aud := providertest.ClaimsOf(t, named["access_token"])["aud"]; !slices.Equal(aud.([]any), []any{other}) {
			t.Errorf("aud of the named resource: %v", aud)
		}
	})
}

// The token of a service has no value twice, although the request and the registration repeat
// values.
func TestRepeated_ServiceToken(t *testing.T) {
	const api = "https://api.example.com/"
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		job := b.AsClient(b.RegisterWith(t, storage.Service, "job", func(c *storage.Client) {
			c.Metadata.Scope, c.Resources = "read write read", []string{api, api}
		}))
		for _, form := range []url.Values{
			{"grant_type": {"client_credentials"}},
			{"grant_type": {"client_credentials"}, "scope": {"read read  write read"}, "resource": {api, api}},
		} {
			answer := job.TokenRequest(t, form).JSON(t)
			wantSets(t, form.Encode(), answer)
			if answer["scope"] != "read write" {
				t.Errorf("%s: scope %v", form.Encode(), answer["scope"])
			}
		}
	})
}

// The token of the first-party app has no scope twice, although its client repeats a scope.
func TestRepeated_FirstPartyToken(t *testing.T) {
	b := providertest.StartOn(t, storagetest.SQLite(t), providertest.WithAppOrigins(providertest.Shop), func(c *provider.Config) { c.FirstParty.Audience = "https://api.example.com/" })
	shop := b.RegisterApp(t)
	shop.Metadata.Scope = "openid email openid roles"
	if err := storagetest.ReplaceClient(t.Context(), b.DB, shop, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
	v := b.Visitor(t)
	for _, p := range []providertest.Pair{v.SignInApp(t), v.RefreshApp(t)} {
		claims := providertest.ClaimsOf(t, p.Access.Value)
		wantSets(t, "app", claims)
		if claims["scope"] != "openid email roles" {
			t.Errorf("scope %v", claims["scope"])
		}
	}
}
