package federation_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

// setting is a field of federation.Config with two values that must have different visible
// effects.
type setting struct {
	common      func(*federation.Config) // applied before both values
	one, two    func(*federation.Config)
	faults      federationtest.Faults // of the upstream, for both values
	requestOnly bool                  // the authorization request already shows the effect
}

var yes, no = true, false

func ofKind(kind federation.Kind) func(*federation.Config) {
	return func(c *federation.Config) { c.Kind = kind }
}

func apple(t *testing.T) func(*federation.Config) {
	key, _ := keyPEM(t)
	return func(c *federation.Config) {
		c.Kind, c.ClientSecret, c.ClientKey, c.ClientKeyID, c.TeamID = federation.Apple, federation.Secret{}, key, "K", "T"
	}
}

func settings(t *testing.T) map[string]setting {
	keyOne, _ := keyPEM(t)
	keyTwo, _ := keyPEM(t)
	gitHub := func(c *federation.Config) { c.Kind, c.Issuer = federation.GitHub, "" }
	return map[string]setting{
		"ID":   {one: func(c *federation.Config) { c.ID = "one" }, two: func(c *federation.Config) { c.ID = "two" }},
		"Kind": {one: ofKind(federation.OIDC), two: ofKind(federation.GitLab)},
		"Name": {one: func(c *federation.Config) { c.Name = "One" }, two: func(c *federation.Config) { c.Name = "Two" }},
		"ClientID": {
			requestOnly: true, one: func(c *federation.Config) { c.ClientID = "one" }, two: func(c *federation.Config) { c.ClientID = "two" },
		},
		"ClientSecret": {
			one: func(c *federation.Config) { c.ClientSecret = federation.NewSecret("one") },
			two: func(c *federation.Config) { c.ClientSecret = federation.NewSecret("two") },
		},
		"ClientAuth": {
			one: func(c *federation.Config) { c.ClientAuth = "client_secret_basic" }, two: func(c *federation.Config) { c.ClientAuth = "client_secret_post" },
		},
		"ClientKey": {
			common: func(c *federation.Config) { c.ClientSecret = federation.Secret{} },
			one:    func(*federation.Config) {}, two: func(c *federation.Config) { c.ClientKey = keyOne },
		},
		"ClientKeyID": {
			common: func(c *federation.Config) { c.ClientSecret, c.ClientKey = federation.Secret{}, keyTwo },
			one:    func(c *federation.Config) { c.ClientKeyID = "one" }, two: func(c *federation.Config) { c.ClientKeyID = "three" },
		},
		"TeamID": {
			common: apple(t), faults: federationtest.Faults{Claims: claims{"email_verified": "true"}},
			one: func(c *federation.Config) { c.TeamID = "ONE" }, two: func(c *federation.Config) { c.TeamID = "THREE" },
		},
		"Issuer": {one: func(*federation.Config) {}, two: func(c *federation.Config) { c.Issuer += "/other" }},
		"BaseURL": {
			common: gitHub, requestOnly: true,
			one: func(*federation.Config) {}, two: func(c *federation.Config) { c.BaseURL = "https://git.example" },
		},
		"Tenants": {
			common: func(c *federation.Config) { c.Kind, c.Tenants = federation.Microsoft, []string{tenantA} },
			one:    func(*federation.Config) {}, two: func(c *federation.Config) { c.Tenants = []string{tenantB} },
		},
		"Scopes": {requestOnly: true, one: func(*federation.Config) {}, two: func(c *federation.Config) { c.Scopes = []string{"groups"} }},
		"AllowedDomains": {
			common: func(c *federation.Config) { c.Trust = federation.Verifies },
			one:    func(c *federation.Config) { c.AllowedDomains = []string{"corp.example"} },
			two:    func(c *federation.Config) { c.AllowedDomains = []string{"other.example"} },
		},
		"RequireEmail": {
			common: func(c *federation.Config) { c.Trust = federation.Verifies }, faults: federationtest.Faults{Claims: claims{"email_verified": false}},
			one: func(*federation.Config) {}, two: func(c *federation.Config) { c.RequireEmail = true },
		},
		"Claims": {
			faults: federationtest.Faults{Claims: claims{"roles": []string{"staff"}}},
			one:    func(*federation.Config) {}, two: func(c *federation.Config) { c.Claims = map[string]string{"groups": "roles"} },
		},
		"Algorithms": {one: func(*federation.Config) {}, two: func(c *federation.Config) { c.Algorithms = []string{"RS256"} }},
		"Hosts": {
			faults: federationtest.Faults{Discovery: claims{"token_endpoint": "https://tokens.other.example/token"}},
			one:    func(*federation.Config) {}, two: func(c *federation.Config) { c.Hosts = []string{"tokens.other.example"} },
		},
		"Trust": {
			one: func(c *federation.Config) { c.Trust = federation.Distrust }, two: func(c *federation.Config) { c.Trust = federation.Verifies },
		},
		"Domains": {
			common: func(c *federation.Config) { c.Trust = federation.Authoritative },
			one:    func(c *federation.Config) { c.Domains = []string{"corp.example"} }, two: func(c *federation.Config) { c.Domains = []string{"other.example"} },
		},
		"Reauthenticates": {
			one: func(c *federation.Config) { c.Reauthenticates = &yes }, two: func(c *federation.Config) { c.Reauthenticates = &no },
		},
		"KeepToken": {one: func(*federation.Config) {}, two: func(c *federation.Config) { c.KeepToken = true }},
	}
}

// visibleEffect returns the visible effects of a connector: its name, the authorization request,
// the token request, and the identity.
func (s setting) visibleEffect(t *testing.T, change func(*federation.Config)) string {
	t.Helper()
	l, err := federationtest.StartLying(federationtest.Setup{RedirectURIs: []string{redirectURI}, Now: newClock().now, ClientSecret: "a secret of the upstream"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	c := federation.Config{
		ID: "up", Kind: federation.OIDC, ClientID: l.ClientID, ClientSecret: federation.NewSecret(l.ClientSecret), Issuer: l.URL, Timeout: 2 * time.Second,
	}
	if s.common != nil {
		s.common(&c)
	}
	if change(&c); c.Kind == federation.Microsoft {
		s.faults = fromTenant(l, tenantA, tenantA, nil)
	}
	l.SetFaults(s.faults)
	up := connect(t, c, newClock())
	var out strings.Builder
	fmt.Fprintln(&out, up.ID(), up.Name(), up.Trust(), up.Reauthenticates())
	a, to, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
	if err != nil {
		return out.String() + errorText(err)
	}
	asked, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, strings.ReplaceAll(asked.Scheme+"://"+asked.Host, l.URL, "UPSTREAM"), asked.Path, asked.Query().Get("client_id"), asked.Query().Get("scope"))
	if s.requestOnly {
		return out.String()
	}
	back, err := federationtest.ChooseAccount(up.client, to, "victim")
	if err != nil {
		t.Fatal(err)
	}
	i, err := up.finish(t, a, back)
	form, header := l.LastTokenRequest()
	fmt.Fprintln(&out, header.Get("Authorization"), len(form.Get("client_secret")), form.Has("client_assertion"), len(form.Get("client_assertion"))/8)
	fmt.Fprintln(&out, i.Email, i.EmailVerified, i.Trust, i.Groups, i.Token != nil, errorText(err))
	return strings.ReplaceAll(out.String(), l.URL, "UPSTREAM")
}

func errorText(err error) string {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	return fmt.Sprint(err)
}

// TestSettings_EachMakesADifference: two values of each setting have different visible effects. A
// setting that does nothing fails here.
func TestSettings_EachMakesADifference(t *testing.T) {
	all := settings(t)
	for field := range reflect.TypeFor[federation.Config]().Fields() {
		s, known := all[field.Name]
		if !known {
			if field.Name != "Timeout" { // not a setting of operators; tests shorten it
				t.Errorf("no two values for %s", field.Name)
			}
			continue
		}
		if one, again, two := s.visibleEffect(t, s.one), s.visibleEffect(t, s.one), s.visibleEffect(t, s.two); one == two || one != again {
			t.Errorf("%s has no effect, or the effect differs between runs:\n%s\nagain:\n%s\nother value:\n%s", field.Name, one, again, two)
		}
	}
}

// TestSettings_UnusedByTypeAreRefused: the error names the setting and says that it does nothing.
// Settings that the type uses are accepted.
func TestSettings_UnusedByTypeAreRefused(t *testing.T) {
	key, _ := keyPEM(t)
	for name, c := range map[string]struct {
		set  func(*federation.Config)
		used string // by these types
	}{
		"base_url":               {func(c *federation.Config) { c.BaseURL = "https://git.example" }, "github"},
		"tenants":                {func(c *federation.Config) { c.Tenants = []string{tenantA} }, "microsoft"},
		"team_id":                {func(c *federation.Config) { c.TeamID = "T" }, "apple"},
		"issuer":                 {func(c *federation.Config) { c.Issuer = "https://up.example" }, "google oidc microsoft apple gitlab"},
		"hosts":                  {func(c *federation.Config) { c.Hosts = []string{"x.example"} }, "google oidc microsoft apple gitlab"},
		"algorithms":             {func(c *federation.Config) { c.Algorithms = []string{"ES256"} }, "google oidc microsoft apple gitlab"},
		"client_auth":            {func(c *federation.Config) { c.ClientAuth = "client_secret_post" }, "google oidc microsoft gitlab"},
		"client_key":             {func(c *federation.Config) { c.ClientKey, c.ClientSecret = key, federation.Secret{} }, "oidc microsoft apple gitlab"},
		"client_key_id":          {func(c *federation.Config) { c.ClientKeyID, c.ClientKey, c.ClientSecret = "k", key, federation.Secret{} }, "oidc microsoft apple gitlab"},
		"claims maps groups":     {func(c *federation.Config) { c.Claims = map[string]string{"groups": "x"} }, "google oidc microsoft apple gitlab"},
		"claims maps email":      {func(c *federation.Config) { c.Claims = map[string]string{"email": "x"} }, "google oidc microsoft apple gitlab"},
		"claims maps given_name": {func(c *federation.Config) { c.Claims = map[string]string{"given_name": "x"} }, "google github oidc microsoft gitlab"},
		"claims maps website":    {func(c *federation.Config) { c.Claims = map[string]string{"website": "x"} }, "google github oidc microsoft apple gitlab"},
	} {
		for _, kind := range federation.Kinds() {
			config := minimalConfig(t, kind)
			c.set(&config)
			_, err := federation.New(config, http.DefaultClient, time.Now)
			used := strings.Contains(" "+c.used+" ", " "+string(kind)+" ")
			key := name
			if name == "client_key_id" {
				key = "client_key" // client_key_id needs it, and it is checked first
			}
			switch {
			case used && err != nil:
				t.Errorf("%s with %s: %v", name, kind, err)
			case !used && (!errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "does nothing with type "+string(kind))):
				t.Errorf("%s with %s: got %v, want it refused", name, kind, err)
			}
		}
	}
	for name, change := range map[string]func(*federation.Config){
		"client_key_id names a key":            func(c *federation.Config) { c.ClientKeyID = "k" },
		"client_key is set":                    func(c *federation.Config) { c.ClientKey, c.ClientAuth = key, "client_secret_basic" },
		"claims maps name to an empty name":    func(c *federation.Config) { c.Claims = map[string]string{"name": " "} },
		`claims names "roles"`:                 func(c *federation.Config) { c.Claims = map[string]string{"roles": "roles"} },
		`claims names "sub"`:                   func(c *federation.Config) { c.Claims = map[string]string{"sub": "oid"} },
		`claims names "phone_number_verified"`: func(c *federation.Config) { c.Claims = map[string]string{"phone_number_verified": "x"} },
	} {
		config := minimalConfig(t, federation.OIDC)
		change(&config)
		if _, err := federation.New(config, http.DefaultClient, time.Now); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestGitHub_MapsMembersOfUserDocument: the setting claims applies to the answer of GET /user.
func TestGitHub_MapsMembersOfUserDocument(t *testing.T) {
	_, up := gitHub(t, func(c *federation.Config) {
		c.Claims = map[string]string{"preferred_username": "login", "nickname": "login"}
	})
	if i := up.mustSignIn(t, "octo"); !up.MapsUsername() || i.Username != "octo" || i.Nickname != "octo" || i.Name != "Octo Cat" {
		t.Errorf("got %+v", i)
	}
}

// TestSettings_UnusedCredentialIsRefused combines each kind, client_auth and list of algorithms with
// a client secret. A secret that nothing uses must be refused by name.
func TestSettings_UnusedCredentialIsRefused(t *testing.T) {
	key, _ := keyPEM(t)
	secret := federation.NewSecret("a secret of the upstream, 32 bytes and more")
	for _, kind := range federation.Kinds() {
		for _, method := range []string{"", "client_secret_basic", "client_secret_post", "private_key_jwt", "none"} {
			for _, algorithms := range [][]string{nil, {"ES256"}, {"ES256", "HS256"}} {
				config := minimalConfig(t, kind)
				config.ClientSecret, config.ClientAuth, config.Algorithms = secret, method, algorithms
				withKey := method == "private_key_jwt" || kind == federation.Apple
				if withKey {
					config.ClientKey = key
				}
				sends := !withKey && method != "none"
				verifies := len(algorithms) == 2
				_, err := federation.New(config, http.DefaultClient, time.Now)
				if err == nil && !sends && !verifies {
					t.Errorf("%s, client_auth %q, algorithms %q: the client_secret is unused but accepted", kind, method, algorithms)
				}
				config.ClientSecret = federation.Secret{}
				if _, without := federation.New(config, http.DefaultClient, time.Now); without != nil || err == nil {
					continue // something else is wrong, or the secret is used
				}
				if !errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), `"up": client_secret is set, but `) {
					t.Errorf("%s, client_auth %q, algorithms %q: got %v", kind, method, algorithms, err)
				}
			}
		}
	}
	both := minimalConfig(t, federation.OIDC)
	both.ClientSecret, both.ClientKey = secret, key
	if _, err := federation.New(both, http.DefaultClient, time.Now); err == nil || !strings.Contains(err.Error(), "client_secret is set, but client_key authenticates") {
		t.Errorf("a secret and a key: got %v", err)
	}
	both.Algorithms = []string{"HS256"}
	if _, err := federation.New(both, http.DefaultClient, time.Now); err != nil {
		t.Errorf("a secret that verifies, and a key: %v", err)
	}
}
