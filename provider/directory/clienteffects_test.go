package directory_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

// validValues sets a valid value in each field. It leaves out redirect_uris, grant_types,
// response_types, type, client_name and token_endpoint_auth_method, which decide the kind
// of a client.
var validValues = map[string]func(c *storage.Client){
	"post_logout_redirect_uris":             func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{"https://app.example.com/bye"} },
	"scope":                                 nil, // see TestClientScope_UngrantableScopeIsRefused
	"client_uri":                            func(c *storage.Client) { c.Metadata.ClientURI = "https://app.example.com/" },
	"logo_uri":                              func(c *storage.Client) { c.Metadata.LogoURI = "https://app.example.com/logo.png" },
	"policy_uri":                            func(c *storage.Client) { c.Metadata.PolicyURI = "https://app.example.com/privacy" },
	"tos_uri":                               func(c *storage.Client) { c.Metadata.TosURI = "https://app.example.com/terms" },
	"contacts":                              func(c *storage.Client) { c.Metadata.Contacts = []string{"ops@example.com"} },
	"subject_type":                          func(c *storage.Client) { c.Metadata.SubjectType = "pairwise" },
	"sector_identifier_uri":                 func(c *storage.Client) { c.Metadata.SectorURI = "https://app.example.com/sector.json" },
	"token_endpoint_auth_signing_alg":       func(c *storage.Client) { c.Metadata.TokenEndpointAuthAlg = "ES256" },
	"jwks":                                  func(c *storage.Client) { c.Metadata.JWKS = exampleKeys },
	"jwks_uri":                              func(c *storage.Client) { c.Metadata.JWKSURI = "https://app.example.com/keys" },
	"id_token_signed_response_alg":          func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "RS256" },
	"userinfo_signed_response_alg":          func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = "ES256" },
	"default_max_age":                       func(c *storage.Client) { c.Metadata.DefaultMaxAge = new(int64(0)) },
	"require_auth_time":                     func(c *storage.Client) { c.Metadata.RequireAuthTime = true },
	"default_acr_values":                    func(c *storage.Client) { c.Metadata.DefaultACRValues = []string{"phr", "urn:signet:1fa"} },
	"initiate_login_uri":                    func(c *storage.Client) { c.Metadata.InitiateLoginURI = "https://app.example.com/start" },
	"backchannel_logout_uri":                func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "https://app.example.com/out" },
	"backchannel_logout_session_required":   nil, // needs backchannel_logout_uri
	"frontchannel_logout_uri":               func(c *storage.Client) { c.Metadata.FrontchannelLogoutURI = "https://app.example.com/out?x=1" },
	"frontchannel_logout_session_required":  nil, // needs frontchannel_logout_uri
	"software_id":                           func(c *storage.Client) { c.Metadata.SoftwareID = "photos" },
	"software_version":                      func(c *storage.Client) { c.Metadata.SoftwareVersion = "1.2" },
	"first_party":                           func(c *storage.Client) { c.FirstParty = true },
	"skip_consent":                          func(c *storage.Client) { c.SkipConsent = true },
	"introspect":                            func(c *storage.Client) { c.Introspects = true },
	"admin_api":                             nil, // needs a scope of the administration API, see TestCheckClient
	"pkce_optional":                         func(c *storage.Client) { c.PKCEOptional = true },
	"prompt_login":                          func(c *storage.Client) { c.PromptLogin = storage.PromptLoginBestEffort },
	"unverified_email":                      func(c *storage.Client) { c.UnverifiedEmail = true },
	"claims_in_id_token":                    func(c *storage.Client) { c.Metadata.ClaimsInIDToken = true },
	"require_acr":                           func(c *storage.Client) { c.RequireACR = storage.ACRTwoFactors },
	"resources":                             func(c *storage.Client) { c.Resources = []string{"https://api.example.com/"} },
	"audiences":                             func(c *storage.Client) { c.Audiences = []string{"https://api.example.com/"} },
	"allow_origins":                         func(c *storage.Client) { c.Origins = []string{"https://shop.example.com"} },
	"refresh_grace":                         func(c *storage.Client) { c.RefreshGrace = 0 },
	"require_pushed_authorization_requests": func(c *storage.Client) { c.Metadata.RequirePushed = true },
	"request_object_signing_alg":            nil, // see TestClientEffects_RequestObjectsNeedKeys
	"require_signed_request_object":         nil,
}

// kindsOfClient are kinds of clients, with the fields that have no effect for them.
var kindsOfClient = map[string]struct {
	kind   storage.ClientType
	change func(c *storage.Client)
	idle   string // fields without an effect
}{
	"web":    {storage.Web, nil, authAlg},
	"spa":    {storage.SPA, nil, "introspect audiences " + authAlg},
	"native": {storage.Native, nil, "introspect audiences " + authAlg},
	"service": {storage.Service, nil, "jwks jwks_uri " + authAlg + " subject_type require_pushed_authorization_requests post_logout_redirect_uris logo_uri policy_uri tos_uri id_token_signed_response_alg userinfo_signed_response_alg default_max_age require_auth_time default_acr_values " +
		"initiate_login_uri backchannel_logout_uri frontchannel_logout_uri first_party skip_consent pkce_optional prompt_login unverified_email claims_in_id_token require_acr refresh_grace"},
	"web with a key of its own": {storage.Web, func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = storage.AuthPrivateKey }, ""},
	"web that acts for itself": {storage.Web, ownTokensOnly, "jwks jwks_uri " + authAlg + " subject_type require_pushed_authorization_requests post_logout_redirect_uris logo_uri policy_uri tos_uri id_token_signed_response_alg userinfo_signed_response_alg default_max_age " +
		"require_auth_time default_acr_values initiate_login_uri backchannel_logout_uri frontchannel_logout_uri skip_consent pkce_optional prompt_login unverified_email claims_in_id_token require_acr refresh_grace"},
	"web without refresh tokens": {storage.Web, func(c *storage.Client) { c.Metadata.GrantTypes = []string{storage.GrantCode} }, "refresh_grace " + authAlg},
}

// authAlg is a field of clients that authenticate with a key of their own. The keys themselves also
// verify request objects.
const authAlg = "token_endpoint_auth_signing_alg"

// exampleKeys is a JWK Set with the ES256 key of RFC 7517, appendix A.1.
const exampleKeys = `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

func ownTokensOnly(c *storage.Client) {
	c.Metadata.GrantTypes, c.Metadata.ResponseTypes, c.Metadata.RedirectURIs = []string{storage.GrantClientCredentials}, nil, nil
}

// TestClientFields_NoEffectForTheKindIsRefused sets every field of every kind of client. A
// field without an effect is refused with the stable code. A value from an earlier release
// may stay, and can be removed.
func TestClientFields_NoEffectForTheKindIsRefused(t *testing.T) {
	makers := []string{"client_name", "type", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types"}
	for _, f := range directory.ClientFields() {
		set, known := validValues[f.Name]
		if !known && !slices.Contains(makers, f.Name) {
			t.Errorf("validValues has no value for %s", f.Name)
		}
		if set == nil {
			continue
		}
		for name, k := range kindsOfClient {
			if f.Name == "pkce_optional" && k.kind != storage.Web && k.kind != storage.Service {
				continue // another rule refuses this: a public client must use PKCE
			}
			before := changedClient(k.kind, k.change)
			with := before
			set(&with)
			problems := codesOf(directory.CheckClient(with))
			switch idle := slices.Contains(strings.Fields(k.idle), f.Name); {
			case !idle && problems != "":
				t.Errorf("%s, %s: got %q, want it accepted", name, f.Name, problems)
			case idle && problems != f.Name+" "+directory.NoEffect:
				t.Errorf("%s, %s: got %q, want it refused with %s", name, f.Name, problems, directory.NoEffect)
			}
			renamed := with
			renamed.Name = "Another name"
			for act, change := range map[string][2]storage.Client{"stays": {with, renamed}, "is removed": {with, before}} {
				if err := directory.CheckClientChange(change[0], change[1]); err != nil {
					t.Errorf("%s, stored %s %s: got %v, want no error", name, f.Name, act, err)
				}
			}
		}
	}
}

// codesOf lists the problems by field and code.
func codesOf(err error) string {
	var found []string
	if problems, is := errors.AsType[*directory.ClientError](err); is {
		for _, p := range problems.Problems {
			found = append(found, p.Field+" "+p.Code)
		}
	}
	return strings.Join(found, ", ")
}

// TestClientScope_UngrantableScopeIsRefused tries scopes for every kind of client. A scope is
// accepted if an endpoint can grant it. The refusal lists the possible scopes and the one
// that was probably meant.
func TestClientScope_UngrantableScopeIsRefused(t *testing.T) {
	for name, k := range kindsOfClient {
		base := changedClient(k.kind, k.change)
		people := slices.Contains(base.Metadata.GrantTypes, storage.GrantCode)
		own := slices.Contains(base.Metadata.GrantTypes, storage.GrantClientCredentials)
		renews := slices.Contains(base.Metadata.GrantTypes, storage.GrantRefresh)
		for _, scope := range append(storage.PersonalScopes(), "opnid", "photos:read", "OpenID", "emial") {
			c := base
			c.Metadata.Scope = scope
			wanted := own
			if slices.Contains(storage.PersonalScopes(), scope) {
				wanted = people && (scope != storage.ScopeOfflineAccess || renews)
			}
			if got := codesOf(directory.CheckClient(c)); (got == "") != wanted || got != "" && got != "scope "+directory.NoEffect {
				t.Errorf("%s, scope %s: got %q, want accepted: %v", name, scope, got, wanted)
			}
			if err := directory.CheckClientChange(c, c); err != nil {
				t.Errorf("%s, stored scope %s: got %v, want no error", name, scope, err)
			}
		}
	}
	both := changedClient(storage.Web, func(c *storage.Client) {
		c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantClientCredentials)
		c.Metadata.Scope = "openid photos:read"
	})
	if problems := problemsOf(both); problems != "" {
		t.Errorf("a web client with client_credentials: got %s, want no problem", problems)
	}
	for scope, meant := range map[string]string{"opnid": "openid", "Openid": "openid", "emails": "email", "offline": "offline_access"} {
		problems := problemsOf(changedClient(storage.SPA, func(c *storage.Client) { c.Metadata.Scope = "openid " + scope }))
		if !strings.Contains(problems, `scope: "`+scope+`" `) || !strings.Contains(problems, "did you mean "+meant+"?") || !strings.Contains(problems, "openid, profile, email") {
			t.Errorf("%s: got %q", scope, problems)
		}
	}
	if problems := problemsOf(changedClient(storage.SPA, func(c *storage.Client) { c.Metadata.Scope = "openid photos:read" })); strings.Contains(problems, "did you mean") {
		t.Errorf("photos:read: got %q", problems)
	}
}

// TestClientEffects_FirstPartyRenewsWithoutRefreshTokens: the first-party app renews its
// tokens without the grant type refresh_token, so refresh_grace has an effect.
func TestClientEffects_FirstPartyRenewsWithoutRefreshTokens(t *testing.T) {
	c := changedClient(storage.SPA, func(c *storage.Client) {
		c.FirstParty, c.Metadata.GrantTypes, c.RefreshGrace = true, []string{storage.GrantCode}, time.Second
	})
	if problems := problemsOf(c); problems != "" {
		t.Error(problems)
	}
}

// TestClientEffects_RequestObjectsNeedKeys: the fields of request objects are for clients that send
// authorization requests and have keys that fit.
func TestClientEffects_RequestObjectsNeedKeys(t *testing.T) {
	const algorithm, required = "request_object_signing_alg", "require_signed_request_object"
	set := func(c *storage.Client, keys, alg string, must bool) {
		c.Metadata.JWKS, c.Metadata.RequestObjectAlg, c.Metadata.RequireSignedRequest = keys, alg, must
	}
	for name, c := range map[string]struct {
		kind   storage.ClientType
		change func(*storage.Client)
		want   string
	}{
		"with keys":          {storage.Web, func(c *storage.Client) { set(c, exampleKeys, "ES256", true) }, ""},
		"of a public client": {storage.SPA, func(c *storage.Client) { set(c, exampleKeys, "ES256", true) }, ""},
		"with a place of keys": {storage.Web, func(c *storage.Client) {
			set(c, "", "RS256", true)
			c.Metadata.JWKSURI = "https://app.example.com/keys"
		}, ""},
		"without keys":            {storage.Web, func(c *storage.Client) { set(c, "", "ES256", true) }, required + " " + directory.InvalidValue + ", " + algorithm + " " + directory.NoEffect},
		"without a key that fits": {storage.Web, func(c *storage.Client) { set(c, exampleKeys, "RS256", false) }, "jwks " + directory.InvalidValue},
		"with keys of encryption": {storage.Web, func(c *storage.Client) {
			set(c, strings.Replace(exampleKeys, `"kid"`, `"use":"enc","kid"`, 1), "", false)
		}, "jwks " + directory.NoEffect},
		"with an algorithm of MAC": {storage.Web, func(c *storage.Client) { set(c, exampleKeys, "HS256", false) }, algorithm + " " + directory.InvalidValue},
		"unsigned":                 {storage.Web, func(c *storage.Client) { set(c, exampleKeys, "none", false) }, algorithm + " " + directory.InvalidValue},
		"of a service": {storage.Service, func(c *storage.Client) {
			set(c, exampleKeys, "ES256", true)
			c.Metadata.TokenEndpointAuthMethod = storage.AuthPrivateKey
		}, required + " " + directory.NoEffect + ", " + algorithm + " " + directory.NoEffect},
	} {
		if got := codesOf(directory.CheckClient(changedClient(c.kind, c.change))); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestClientEffects_ReachableACR: the requested acr values must have one that a sign-in can have.
func TestClientEffects_ReachableACR(t *testing.T) {
	for value, want := range map[string]string{"urn:signet:1fa": "", "urn:signet:2fa": "", "phr": "", "urn:signet:3fa": "default_acr_values " + directory.NoEffect} {
		c := changedClient(storage.Web, func(c *storage.Client) { c.Metadata.DefaultACRValues = []string{"mfa", value} })
		if got := codesOf(directory.CheckClient(c)); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

// People sign in to a client for devices alone on another device, so it may require an acr.
func TestClientEffects_DeviceMayRequireACR(t *testing.T) {
	c := changedClient(storage.Native, func(c *storage.Client) {
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes, c.Metadata.RedirectURIs = []string{storage.GrantDevice}, nil, nil
		c.RequireACR = storage.ACRTwoFactors
	})
	if problems := problemsOf(c); problems != "" {
		t.Error(problems)
	}
}
