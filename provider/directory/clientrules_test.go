package directory_test

import (
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

// changedClient returns a valid client of this type with the change that the test needs.
func changedClient(t storage.ClientType, change func(c *storage.Client)) storage.Client {
	c := directory.NewClient(t, "app", "An app")
	if t != storage.Service {
		c.Metadata.RedirectURIs = []string{"https://app.example.com/callback"}
	}
	if change != nil {
		change(&c)
	}
	return c
}

// problemsOf returns the problems of a client, one on each line; "" if it is valid.
func problemsOf(c storage.Client) string {
	err := directory.CheckClient(c)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), directory.ErrInvalidClient.Error()+":\n  "), "\n  ", "\n")
}

func TestNewClient_DefaultsOfEveryTypeAreValid(t *testing.T) {
	for _, kind := range []storage.ClientType{storage.Web, storage.SPA, storage.Native, storage.Service} {
		if err := directory.CheckClient(changedClient(kind, nil)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNewClient_OnlyServersAuthenticate(t *testing.T) {
	for kind, public := range map[storage.ClientType]bool{storage.Web: false, storage.Service: false, storage.SPA: true, storage.Native: true} {
		if got := directory.NewClient(kind, "app", "An app").Public(); got != public {
			t.Errorf("%s: public is %v, want %v", kind, got, public)
		}
	}
}

// badRedirectURIs are redirect URIs that no client of this type may register, each with a
// part of the reason.
var badRedirectURIs = []struct {
	kind        storage.ClientType
	uri, reason string
}{
	// RU-02: URIs that browsers parse differently from a comparison of strings.
	{storage.Web, "https://app.example.com@evil.example/cb", "user name"},
	{storage.Web, "https://app.example.com:x@evil.example/cb", "user name"},
	{storage.Web, `https://evil.example\@app.example.com/cb`, "backslash"},
	{storage.Web, "https://app.example.com/cb#", "fragment"},
	{storage.Web, "https://app.example.com/cb#part", "fragment"},
	{storage.Web, "https://app.example.com/a/../cb", "dotted"},
	{storage.Web, "https://app.example.com/a/%2e%2e/cb", "dotted"},
	{storage.Web, "https://*.example.com/cb", "pattern"},
	{storage.Web, "https://App.example.com/cb", "lower case"},
	{storage.Web, "HTTPS://app.example.com/cb", "lower case"},
	{storage.Web, "https://app.example.com:/cb", "port"},
	{storage.Web, "https://app.example.com:99999/cb", "port"},
	{storage.Web, "https:///cb", "no host"},
	{storage.Web, "https:cb", "no host"},
	{storage.Web, "/cb", "absolute"},
	{storage.Web, "", "absolute"},
	{storage.Web, "https://app.example.com/c b", "spaces"},
	{storage.Web, "https://app.example.com/cb\n", "control"},
	{storage.Web, "https://app.example.com/cb\x00", "control"},
	{storage.Web, "https://bücher.example/cb", "ASCII"},
	{storage.Web, "https://app.example.com/" + strings.Repeat("a", 2000), "2000"},
	// RU-06: not a loopback literal.
	{storage.Web, "http://127.9.9.9/cb", "https"},
	{storage.Native, "http://127.0.0.1.evil.example/cb", "https"},
	{storage.Native, "http://localhost.evil.example/cb", "https"},
	{storage.Native, "http://[::ffff:127.0.0.1]/cb", "https"},
	{storage.Native, "http://127.0.0.1:0/cb", "port"},
	// RU-07: schemes that browsers execute, and schemes that any app can register.
	{storage.Native, "javascript:alert(1)", "javascript"},
	{storage.Native, "JavaScript:alert(1)", "javascript"},
	{storage.Native, "data:text/html,x", "data"},
	{storage.Native, "vbscript:x", "vbscript"},
	{storage.Native, "file:///etc/passwd", "file"},
	{storage.Native, "blob:https://app.example.com/x", "blob"},
	{storage.Native, "myapp:/callback", "reverse domain"},
	{storage.Web, "com.example.app:/callback", "https"},
	{storage.SPA, "com.example.app:/callback", "https"},
	// RU-11: the client would see the parameter twice.
	{storage.Web, "https://app.example.com/cb?code=1", "code"},
	{storage.Web, "https://app.example.com/cb?a=b&state=1", "state"},
	{storage.Web, "https://app.example.com/cb?iss=1", "iss"},
	{storage.Web, "https://app.example.com/cb?%65rror=1", "error"},
	{storage.Web, "https://app.example.com/cb?a=%zz", "query"},
	// RU-12: http for a host that is not a loopback host, so others can read the traffic.
	{storage.Web, "http://app.example.com/cb", "https"},
	{storage.SPA, "http://app.example.com/cb", "https"},
	{storage.Native, "http://192.168.1.7/cb", "https"},
}

func TestRedirectURIs_BadOnesAreRefused(t *testing.T) {
	for _, c := range badRedirectURIs {
		client := changedClient(c.kind, func(client *storage.Client) { client.Metadata.RedirectURIs = []string{c.uri} })
		problems := problemsOf(client)
		if problems == "" {
			t.Errorf("%s registered %q, want an error", c.kind, c.uri)
		} else if !strings.HasPrefix(problems, "redirect_uris: ") || !strings.Contains(problems, c.reason) {
			t.Errorf("%q is refused with %q, want a reason with %q", c.uri, problems, c.reason)
		}
	}
}

func TestRedirectURIs_GoodOnesAreAccepted(t *testing.T) {
	for kind, uris := range map[storage.ClientType][]string{
		storage.Web:    {"https://app.example.com/cb", "https://app.example.com", "https://app.example.com:8443/cb?tenant=7", "http://localhost:3000/cb", "http://127.0.0.1/cb", "http://[::1]:8080/cb"},
		storage.SPA:    {"https://app.example.com/", "http://localhost:5173/"},
		storage.Native: {"http://127.0.0.1/cb", "http://[::1]/cb", "https://app.example.com/cb", "com.example.app:/callback", "com.example.app://callback"},
	} {
		client := changedClient(kind, func(c *storage.Client) { c.Metadata.RedirectURIs = uris })
		if err := directory.CheckClient(client); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for _, uri := range uris {
			if !client.AllowsRedirect(uri) {
				t.Errorf("AllowsRedirect of %s refuses %q, which is registered", kind, uri)
			}
		}
	}
}

func TestCheckClient_EveryProblemNamesItsField(t *testing.T) {
	client := storage.Client{ID: "usr_x", Type: storage.Web, RefreshGrace: 6 * time.Minute}
	client.Metadata = storage.ClientMetadata{
		TokenEndpointAuthMethod: "magic", GrantTypes: []string{"password"}, ResponseTypes: []string{"token"},
		Scope: `a"b`, ClientURI: "http://x.example", SubjectType: "private",
		IDTokenSignedResponseAlg: "none", DefaultMaxAge: new(int64(-1)), Contacts: []string{"a\x00"},
		PostLogoutRedirectURIs: []string{"x"}, BackchannelLogoutSession: true,
	}
	client.Resources, client.Audiences, client.Origins = []string{"api"}, []string{"https://x.example/#a"}, []string{"https://x.example/"}
	problems := problemsOf(client)
	for _, member := range []string{
		"client_id", "client_name", "token_endpoint_auth_method", "grant_types", "response_types", "scope", "client_uri",
		"subject_type", "id_token_signed_response_alg", "default_max_age", "contacts", "post_logout_redirect_uris",
		"backchannel_logout_session_required", "refresh_grace", "resources", "audiences", "allow_origins",
	} {
		if !strings.Contains("\n"+problems, "\n"+member+": ") {
			t.Errorf("no problem of %s in:\n%v", member, problems)
		}
	}
}

func TestCheckClient_OneRule(t *testing.T) {
	cases := []struct {
		name, member string
		kind         storage.ClientType
		change       func(c *storage.Client)
	}{
		{"an id that looks like a subject", "client_id", storage.Web, func(c *storage.Client) { c.ID = "usr_1" }},
		{"the id of the commands", "client_id", storage.Web, func(c *storage.Client) { c.ID = "cli" }},
		{"the id of the server", "client_id", storage.Web, func(c *storage.Client) { c.ID = "system" }},
		{"an empty id", "client_id", storage.Web, func(c *storage.Client) { c.ID = "" }},
		{"an id with a slash", "client_id", storage.Web, func(c *storage.Client) { c.ID = "a/b" }},
		{"an id of 129 letters", "client_id", storage.Web, func(c *storage.Client) { c.ID = strings.Repeat("a", 129) }},
		{"a name with a control character", "client_name", storage.Web, func(c *storage.Client) { c.Name = "a\x1bb" }},
		{"a secret in a browser", "token_endpoint_auth_method", storage.SPA, func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "client_secret_post" }},
		{"a secret on a phone", "token_endpoint_auth_method", storage.Native, func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "client_secret_basic" }},
		{"a service without a secret", "token_endpoint_auth_method", storage.Service, func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "none" }},
		{"a hash for a client that has no secret", "client_secret", storage.SPA, func(c *storage.Client) { c.Secrets[1].Hash = "00" }},
		{"an unknown prompt_login", "prompt_login", storage.Web, func(c *storage.Client) { c.PromptLogin = "strict" }},
		{"a required acr that no sign-in has", "require_acr", storage.Web, func(c *storage.Client) { c.RequireACR = "urn:signet:3fa" }},
		{"a required acr where nobody signs in", "require_acr", storage.Service, func(c *storage.Client) { c.RequireACR = storage.ACRTwoFactors }},
		{"a page in a browser with the device grant", "grant_types", storage.SPA, func(c *storage.Client) {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
		}},
		{"a service with the device grant", "grant_types", storage.Service, func(c *storage.Client) {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
		}},
		{"prompt=login where nobody signs in", "prompt_login", storage.Service, func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort }},
		{"a public client without PKCE", "pkce_optional", storage.SPA, func(c *storage.Client) { c.PKCEOptional = true }},
		{"an app that administers the server", "admin_api", storage.Web, func(c *storage.Client) { c.AdminAPI = true }},
		{"a scope of the administration API without admin_api", "scope", storage.Service, func(c *storage.Client) { c.Metadata.Scope = "signet:read" }},
		{"an unknown scope of the administration API", "scope", storage.Service, func(c *storage.Client) {
			c.AdminAPI, c.Metadata.Scope = true, "signet:read signet:everything"
		}},
		{"admin_api without a scope of the administration API", "admin_api", storage.Service, func(c *storage.Client) {
			c.AdminAPI, c.Metadata.Scope = true, "photos:read"
		}},
		{"a public client that introspects", "introspect", storage.Native, func(c *storage.Client) { c.Introspects = true }},
		{"a service with a person's scope", "scope", storage.Service, func(c *storage.Client) { c.Metadata.Scope = "photos:read offline_access" }},
		{"a public client with its own token", "grant_types", storage.SPA, func(c *storage.Client) {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantClientCredentials)
		}},
		{"a refresh token from nowhere", "grant_types", storage.Service, func(c *storage.Client) {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantRefresh)
		}},
		{"a grant type twice", "grant_types", storage.Web, func(c *storage.Client) { c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantCode) }},
		{"codes without their response type", "response_types", storage.Web, func(c *storage.Client) { c.Metadata.ResponseTypes = nil }},
		{"a response type that does not exist", "response_types", storage.Web, func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit), []string{"code", "token"}
		}},
		{"one response type twice, in another order", "response_types", storage.Web, func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit), []string{"code id_token", "id_token code"}
		}},
		{"a token in the response without its grant type", "response_types", storage.Web, func(c *storage.Client) {
			c.Metadata.ResponseTypes = []string{"code", "code id_token"}
		}},
		{"the implicit grant without a response type", "response_types", storage.SPA, func(c *storage.Client) {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit)
		}},
		{"a service with tokens in a response", "grant_types", storage.Service, func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantClientCredentials, storage.GrantImplicit}, []string{"id_token"}
			c.Metadata.RedirectURIs = []string{"https://a.example/"}
		}},
		{"refresh tokens without codes", "grant_types", storage.Web, func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantImplicit, storage.GrantRefresh}, []string{"id_token"}
		}},
		{"codes with nowhere to go", "redirect_uris", storage.Web, func(c *storage.Client) { c.Metadata.RedirectURIs = nil }},
		{"a service with a redirect URI", "redirect_uris", storage.Service, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://a.example/"} }},
		{"101 redirect URIs", "redirect_uris", storage.Web, func(c *storage.Client) {
			c.Metadata.RedirectURIs = nil
			for i := range 101 {
				c.Metadata.RedirectURIs = append(c.Metadata.RedirectURIs, "https://a.example/"+strings.Repeat("a", i))
			}
		}},
		{"an origin with a path", "allow_origins", storage.SPA, func(c *storage.Client) { c.Origins = []string{"https://a.example/x"} }},
		{"the null origin", "allow_origins", storage.SPA, func(c *storage.Client) { c.Origins = []string{"null"} }},
		{"an http origin", "allow_origins", storage.SPA, func(c *storage.Client) { c.Origins = []string{"http://a.example"} }},
		{"a negative grace", "refresh_grace", storage.Web, func(c *storage.Client) { c.RefreshGrace = -2 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			problems := problemsOf(changedClient(c.kind, c.change))
			if got, _, _ := strings.Cut(problems, ":"); got != c.member || strings.Contains(problems, "\n") {
				t.Errorf("got %q, want one problem about %s", problems, c.member)
			}
		})
	}
}

func TestCheckClient_LongValuesAreNotRepeated(t *testing.T) {
	long := "https://a.example/#" + strings.Repeat("a", 100_000)
	err := directory.CheckClient(changedClient(storage.Web, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{long} }))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("the error has %d characters", len(err.Error()))
	}
}
