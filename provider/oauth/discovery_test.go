package oauth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"

	"signet/provider/providertest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestDiscovery_Golden(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		var indented bytes.Buffer
		a := b.Visitor(t).Fetch(t, b.Issuer+providertest.WellKnown)
		if err := json.Indent(&indented, []byte(a.Body), "", "  "); err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(indented.String(), b.Issuer, "https://id.example.com") + "\n"
		const golden = "testdata/discovery.golden.json"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("discovery document: got\n%s\nwant\n%s\nif the change is intended: go test ./provider/oauth -run Golden -update", got, want)
		}
	})
}

// P-01: Discovery is at the issuer plus /.well-known/openid-configuration, and its issuer
// equals the issuer (OIDC Discovery, section 4).
// P-02: All endpoints in it are absolute https URLs.
func TestDiscovery_EndpointsAreAtTheIssuer(t *testing.T) {
	for _, path := range []string{"", "/auth", "/a/b"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			a := v.Fetch(t, b.Issuer+providertest.WellKnown)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("got %d %s", a.StatusCode, a.Header.Get("Content-Type"))
			}
			document := a.JSON(t)
			if document["issuer"] != b.Issuer {
				t.Errorf("issuer: got %v, want %s", document["issuer"], b.Issuer)
			}
			places := 0
			for name, value := range document {
				if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" && name != "check_session_iframe" {
					continue
				}
				places++
				u, err := url.Parse(value.(string))
				if err != nil || !strings.HasPrefix(value.(string), b.Issuer+"/") || u.RawQuery != "" || u.Fragment != "" {
					t.Errorf("%s: %v is not below the issuer", name, value)
				}
				if a := v.Fetch(t, value.(string)); a.StatusCode == http.StatusNotFound {
					t.Errorf("%s: got 404 at %s", name, value)
				}
			}
			if places < 6 {
				t.Errorf("only %d endpoints are named", places)
			}
			host := strings.TrimSuffix(b.Issuer, path)
			if got := v.Fetch(t, host+"/.well-known/oauth-authorization-server"+path); got.Body != a.Body {
				t.Errorf("the document of RFC 8414 differs: %d %s", got.StatusCode, got.Body)
			}
		}, providertest.WithIssuerPath(path))
	}
}

// registeredMetadata are the names of the RFC 8414 registry that this provider uses or may use
// later.
var registeredMetadata = strings.Fields(`issuer authorization_endpoint token_endpoint jwks_uri registration_endpoint
	scopes_supported response_types_supported response_modes_supported grant_types_supported token_endpoint_auth_methods_supported
	token_endpoint_auth_signing_alg_values_supported service_documentation ui_locales_supported op_policy_uri op_tos_uri
	revocation_endpoint revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported
	introspection_endpoint introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
	code_challenge_methods_supported signed_metadata device_authorization_endpoint tls_client_certificate_bound_access_tokens
	mtls_endpoint_aliases nfv_token_signing_alg_values_supported userinfo_endpoint acr_values_supported subject_types_supported
	id_token_signing_alg_values_supported userinfo_signing_alg_values_supported request_object_signing_alg_values_supported
	display_values_supported claim_types_supported claims_supported claims_locales_supported claims_parameter_supported
	request_parameter_supported request_uri_parameter_supported require_request_uri_registration require_signed_request_object
	pushed_authorization_request_endpoint require_pushed_authorization_requests introspection_signing_alg_values_supported
	authorization_response_iss_parameter_supported check_session_iframe frontchannel_logout_supported
	frontchannel_logout_session_supported backchannel_logout_supported backchannel_logout_session_supported end_session_endpoint
	dpop_signing_alg_values_supported authorization_signing_alg_values_supported prompt_values_supported`)

// P-03: It has only registered members (RFC 8414).
func TestDiscovery_OnlyRegisteredMetadata(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for name, value := range b.Discovery(t) {
			if !slices.Contains(registeredMetadata, name) {
				t.Errorf("%s is not a registered name", name)
			}
			if list, ok := value.([]any); value == nil || ok && len(list) == 0 {
				t.Errorf("%s is empty: leave it out (RFC 8414, section 2)", name)
			}
		}
	})
}

// P-04: It states all supported values explicitly, request_uri_parameter_supported too.
// P-05: RS256 is among the signing algorithms.
// P-06: Languages are valid tags in canonical case.
func TestDiscovery_MetadataMatchesTheFeatures(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		d := b.Discovery(t)
		for name, least := range map[string][]string{
			"response_types_supported":              {"code"},
			"response_modes_supported":              {"query"},
			"grant_types_supported":                 {"authorization_code", "refresh_token"},
			"scopes_supported":                      {"openid", "profile", "email", "address", "phone", "offline_access"},
			"claims_supported":                      {"sub", "name", "email", "email_verified", "auth_time", "acr", "updated_at"},
			"subject_types_supported":               {"public"},
			"acr_values_supported":                  {"urn:signet:1fa", "urn:signet:2fa"},
			"token_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post"},
			"code_challenge_methods_supported":      {"S256"},
			"id_token_signing_alg_values_supported": {"RS256"},
		} {
			list, _ := d[name].([]any)
			for _, value := range least {
				if !slices.Contains(list, any(value)) {
					t.Errorf("%s: %v lacks %s", name, d[name], value)
				}
			}
			if slices.Contains(list, any("plain")) || slices.Contains(list, any("none")) && strings.Contains(name, "alg_values") {
				t.Errorf("%s: %v", name, list)
			}
		}
		for _, name := range []string{
			"claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
			"authorization_response_iss_parameter_supported",
		} {
			if _, stated := d[name].(bool); !stated {
				t.Errorf("%s is not stated: %v", name, d[name])
			}
		}
		for _, name := range []string{"ui_locales_supported", "claims_locales_supported"} {
			list, _ := d[name].([]any)
			for _, tag := range list {
				if parsed, err := language.Parse(tag.(string)); err != nil || parsed.String() != tag {
					t.Errorf("%s: %v is not a canonical tag", name, tag)
				}
			}
		}
		// Features that are not advertised are refused, not ignored.
		v := b.Visitor(t)
		if d["request_parameter_supported"] == false {
			v.Get(t, b.AuthorizeURL("request", "e30.e30.")).WantError(t, "request_not_supported")
		}
		if d["request_uri_parameter_supported"] == false {
			v.Get(t, b.AuthorizeURL("request_uri", "https://app.example.com/r")).WantError(t, "request_uri_not_supported")
		}
		for _, mode := range d["response_modes_supported"].([]any) {
			if got := v.Get(t, b.AuthorizeURL("response_mode", mode.(string), "prompt", "none")); got.Response(t).Get("error") != "login_required" {
				t.Errorf("response_mode %v is advertised and refused: %v", mode, got.LeftTo)
			}
		}
	})
}

// P-07: The JWKS has only public keys with distinct kid (RFC 7517).
// KY-01: Private key material is in no JWKS, log, answer or backup in the clear.
func TestDiscovery_JWKSHasOnlyPublicKeys(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.Visitor(t).Fetch(t, b.Discovery(t)["jwks_uri"].(string))
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal([]byte(a.Body), &set); err != nil {
			t.Fatal(err)
		}
		seen := map[any]bool{}
		allowed := map[any][]string{
			"RSA": {"kty", "kid", "use", "alg", "n", "e"},
			"EC":  {"kty", "kid", "use", "alg", "crv", "x", "y"},
			"OKP": {"kty", "kid", "use", "alg", "crv", "x"},
		}
		for _, key := range set.Keys {
			if key["kid"] == "" || seen[key["kid"]] || key["use"] != "sig" || key["alg"] == nil {
				t.Errorf("key %v", key)
			}
			seen[key["kid"]] = true
			for member := range key {
				if !slices.Contains(allowed[key["kty"]], member) {
					t.Errorf("key %v has the member %s", key["kid"], member)
				}
			}
		}
		for _, alg := range b.Discovery(t)["id_token_signing_alg_values_supported"].([]any) {
			ready := slices.ContainsFunc(set.Keys, func(k map[string]any) bool { return k["alg"] == alg })
			if !ready {
				t.Errorf("no key for the advertised algorithm %v", alg)
			}
		}
		if len(set.Keys) < 4 {
			t.Errorf("%d keys are published: every algorithm needs the signing key and the next key", len(set.Keys))
		}
	})
}

// An attacker cannot poison a cache, because the query of a request does not change the
// document.
// KY-13: Discovery and JWKS do not depend on request headers.
func TestDiscovery_DocumentsDoNotDependOnTheRequest(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, path := range []string{providertest.WellKnown, "/.well-known/oauth-authorization-server", "/jwks"} {
			want := v.Fetch(t, b.Issuer+path)
			if !strings.HasPrefix(want.Header.Get("Cache-Control"), "public, max-age=") || want.Header.Get("ETag") == "" {
				t.Errorf("%s: Cache-Control %q, ETag %q", path, want.Header.Get("Cache-Control"), want.Header.Get("ETag"))
			}
			for _, query := range []string{"?x=1", "?issuer=https://evil.example", "?"} {
				if got := v.Fetch(t, b.Issuer+path+query); got.Body != want.Body {
					t.Errorf("%s%s differs", path, query)
				}
			}
			r, _ := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
			r.Header.Set("If-None-Match", want.Header.Get("ETag"))
			if got := providertest.Do(t, providertest.Direct, r); got.StatusCode != http.StatusNotModified || got.Body != "" {
				t.Errorf("%s: got %d with If-None-Match, want 304", path, got.StatusCode)
			}
		}
	})
}
