package directory_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

var clientTypes = []storage.ClientType{storage.Web, storage.SPA, storage.Native, storage.Service}

// TestClientFields_EveryColumnIsInTheTable: a column without a field could not be set or
// shown, and no test would check that code reads it.
func TestClientFields_EveryColumnIsInTheTable(t *testing.T) {
	var c storage.Client
	at := map[any]string{}
	for _, f := range directory.ClientFields() {
		at[reflect.ValueOf(f.At(&c)).UnsafePointer()] = f.Name
	}
	exempt := []string{"ID", "Metadata", "Secrets", "Federations", "DisabledAt", "CreatedAt", "UpdatedAt", "Registration", "Sector"} // not fields of the registration
	for _, row := range []reflect.Value{reflect.ValueOf(&c).Elem(), reflect.ValueOf(&c.Metadata).Elem()} {
		for i := range row.NumField() {
			column := row.Type().Field(i)
			name, found := at[row.Field(i).Addr().UnsafePointer()]
			if !found && !slices.Contains(exempt, column.Name) {
				t.Errorf("%s.%s is not in the table of fields", row.Type().Name(), column.Name)
			}
			if tag, _, _ := strings.Cut(column.Tag.Get("json"), ","); tag != "" && name != tag {
				t.Errorf("%s.%s is stored as %s, but its field has the name %s", row.Type().Name(), column.Name, tag, name)
			}
		}
	}
}

// invalidValues sets a value in each field that breaks a rule for every type of client.
var invalidValues = map[string]func(c *storage.Client){
	"client_id":                  func(c *storage.Client) { c.ID = "a/b" },
	"client_name":                func(c *storage.Client) { c.Name = "" },
	"type":                       func(c *storage.Client) { c.Type = "wbe" },
	"redirect_uris":              func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://a.example/#x"} },
	"post_logout_redirect_uris":  func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{"/bye"} },
	"token_endpoint_auth_method": func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "basic" },
	"token_endpoint_auth_signing_alg": func(c *storage.Client) {
		c.Metadata.TokenEndpointAuthAlg = "HS256"
	},
	"request_object_signing_alg": func(c *storage.Client) {
		c.Metadata.RequestObjectAlg = "none"
	},
	"jwks":           func(c *storage.Client) { c.Metadata.JWKS = `{"keys":[]}` },
	"jwks_uri":       func(c *storage.Client) { c.Metadata.JWKSURI = "keys" },
	"grant_types":    func(c *storage.Client) { c.Metadata.GrantTypes = []string{"authorisation_code"} },
	"response_types": func(c *storage.Client) { c.Metadata.ResponseTypes = []string{"cod"} },
	"scope":          func(c *storage.Client) { c.Metadata.Scope = `a"b` },
	"client_uri":     func(c *storage.Client) { c.Metadata.ClientURI = "home" },
	"logo_uri":       func(c *storage.Client) { c.Metadata.LogoURI = "data:image/svg+xml,<svg/>" },
	"policy_uri":     func(c *storage.Client) { c.Metadata.PolicyURI = "policy" },
	"tos_uri":        func(c *storage.Client) { c.Metadata.TosURI = "terms" },
	"contacts":       func(c *storage.Client) { c.Metadata.Contacts = []string{"a\x00"} },
	"sector_identifier_uri": func(c *storage.Client) {
		c.Metadata.SectorURI = "http://localhost/sector.json"
	},
	"subject_type": func(c *storage.Client) { c.Metadata.SubjectType = "private" },
	"id_token_signed_response_alg": func(c *storage.Client) {
		c.Metadata.IDTokenSignedResponseAlg = "none"
	},
	"userinfo_signed_response_alg":         func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = "HS256" },
	"default_max_age":                      func(c *storage.Client) { c.Metadata.DefaultMaxAge = new(int64(-1)) },
	"default_acr_values":                   func(c *storage.Client) { c.Metadata.DefaultACRValues = []string{"a\x00"} },
	"initiate_login_uri":                   func(c *storage.Client) { c.Metadata.InitiateLoginURI = "login" },
	"backchannel_logout_uri":               func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "out" },
	"backchannel_logout_session_required":  func(c *storage.Client) { c.Metadata.BackchannelLogoutSession = true },
	"frontchannel_logout_uri":              func(c *storage.Client) { c.Metadata.FrontchannelLogoutURI = "out" },
	"frontchannel_logout_session_required": func(c *storage.Client) { c.Metadata.FrontchannelSession = true },
	"software_id":                          func(c *storage.Client) { c.Metadata.SoftwareID = "a\x00" },
	"software_version":                     func(c *storage.Client) { c.Metadata.SoftwareVersion = "a\x00" },
	"prompt_login":                         func(c *storage.Client) { c.PromptLogin = "never" },
	"require_acr":                          func(c *storage.Client) { c.RequireACR = "mfa" },
	"resources":                            func(c *storage.Client) { c.Resources = []string{"api"} },
	"audiences":                            func(c *storage.Client) { c.Audiences = []string{"api"} },
	"allow_origins":                        func(c *storage.Client) { c.Origins = []string{"https://a.example/"} },
	"refresh_grace":                        func(c *storage.Client) { c.RefreshGrace = time.Hour },
}

// TestCheckClient_OneMistakeIsOneProblem: rules that read an invalid field do not run, so
// that the cause is not hidden among its consequences.
func TestCheckClient_OneMistakeIsOneProblem(t *testing.T) {
	for _, f := range directory.ClientFields() {
		_, isBool := f.At(new(storage.Client)).(*bool)
		if _, covered := invalidValues[f.Name]; !covered && !isBool {
			t.Errorf("invalidValues has no value for %s", f.Name)
		}
	}
	for _, kind := range clientTypes {
		for field, change := range invalidValues {
			if kind == storage.Service && field == "redirect_uris" {
				continue // a service has no redirect URIs
			}
			problems := problemsOf(changedClient(kind, change))
			if !strings.HasPrefix(problems, field+": ") || strings.Contains(problems, "\n") {
				t.Errorf("%s with an invalid %s: got %q, want one problem of this field", kind, field, problems)
			}
		}
	}
	// A command line with an unknown type makes a client without defaults.
	bare := directory.NewClient("wbe", "app", "An app")
	bare.Metadata.RedirectURIs, bare.Metadata.Scope = []string{"com.example:/cb"}, "openid"
	if problems := problemsOf(bare); problems != `type: "wbe" is not web, spa, native or service` {
		t.Errorf("an unknown type: got %q, want only the problem of the type", problems)
	}
}

// TestCheckClient_TwoMistakesAreTwoProblems: two independent mistakes are reported together,
// for every pair of fields.
func TestCheckClient_TwoMistakesAreTwoProblems(t *testing.T) {
	follows := map[string][]string{ // fields with rules that read the invalid field
		"type":                    {"redirect_uris", "post_logout_redirect_uris"},
		"backchannel_logout_uri":  {"backchannel_logout_session_required"},
		"frontchannel_logout_uri": {"frontchannel_logout_session_required"},
		"jwks_uri":                {"jwks"},
	}
	for one, change := range invalidValues {
		for other, another := range invalidValues {
			if one >= other || slices.Contains(follows[one], other) || slices.Contains(follows[other], one) {
				continue
			}
			problems := "\n" + problemsOf(changedClient(storage.Web, func(c *storage.Client) { change(c); another(c) }))
			if !strings.Contains(problems, "\n"+one+": ") || !strings.Contains(problems, "\n"+other+": ") {
				t.Errorf("%s and %s: got %q, want a problem of each", one, other, problems)
			}
		}
	}
}
