package provider_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"flag"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/text/language"
)

var update = flag.Bool("update", false, "write the golden files")

const wellKnown = "/.well-known/openid-configuration"

// discovery is the provider's metadata.
func (b *testbed) discovery(t *testing.T) map[string]any {
	t.Helper()
	return b.visitor(t).fetch(t, b.Issuer+wellKnown).json(t)
}

func TestDiscovery_Golden(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		var indented bytes.Buffer
		a := b.visitor(t).fetch(t, b.Issuer+wellKnown)
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
			t.Errorf("discovery document: got\n%s\nwant\n%s\nif that is meant: go test ./provider -run Golden -update", got, want)
		}
	})
}

func TestP01_TestP02_DiscoveryLiesAtTheIssuer(t *testing.T) {
	for _, path := range []string{"", "/auth", "/a/b"} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			v := b.visitor(t)
			a := v.fetch(t, b.Issuer+wellKnown)
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("got %d %s", a.StatusCode, a.Header.Get("Content-Type"))
			}
			document := a.json(t)
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
					t.Errorf("%s: %v does not lie at the issuer", name, value)
				}
				if a := v.fetch(t, value.(string)); a.StatusCode == http.StatusNotFound {
					t.Errorf("%s: there is nothing at %s", name, value)
				}
			}
			if places < 6 {
				t.Errorf("only %d endpoints are named", places)
			}
			host := strings.TrimSuffix(b.Issuer, path)
			if got := v.fetch(t, host+"/.well-known/oauth-authorization-server"+path); got.Body != a.Body {
				t.Errorf("the document of RFC 8414 differs: %d %s", got.StatusCode, got.Body)
			}
		}, under(path))
	}
}

// registeredMetadata are the names of RFC 8414's registry that a provider of ours
// may come to use.
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

func TestP03_OnlyRegisteredMetadata(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for name, value := range b.discovery(t) {
			if !slices.Contains(registeredMetadata, name) {
				t.Errorf("%s is no registered name", name)
			}
			if list, ok := value.([]any); value == nil || ok && len(list) == 0 {
				t.Errorf("%s is empty (RFC 8414, section 2: then it is left out)", name)
			}
		}
	})
}

func TestP04_TestP05_TestP06_MetadataSaysWhatThereIs(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		d := b.discovery(t)
		for name, least := range map[string][]string{
			"response_types_supported":              {"code"},
			"response_modes_supported":              {"query"},
			"grant_types_supported":                 {"authorization_code", "refresh_token"},
			"scopes_supported":                      {"openid", "profile", "email", "address", "phone", "offline_access"},
			"claims_supported":                      {"sub", "name", "email", "email_verified", "auth_time", "acr", "updated_at"},
			"subject_types_supported":               {"public"},
			"acr_values_supported":                  {"urn:signet:1fa"},
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
			if _, said := d[name].(bool); !said {
				t.Errorf("%s is left to its default: %v", name, d[name])
			}
		}
		for _, name := range []string{"ui_locales_supported", "claims_locales_supported"} {
			list, _ := d[name].([]any)
			for _, tag := range list {
				if parsed, err := language.Parse(tag.(string)); err != nil || parsed.String() != tag {
					t.Errorf("%s: %v is no canonical tag", name, tag)
				}
			}
		}
		// What is not advertised is refused, not ignored.
		v := b.visitor(t)
		if d["request_parameter_supported"] == false {
			v.get(t, b.authorizeURL("request", "e30.e30.")).wantError(t, "request_not_supported")
		}
		if d["request_uri_parameter_supported"] == false {
			v.get(t, b.authorizeURL("request_uri", "https://app.example.com/r")).wantError(t, "request_uri_not_supported")
		}
		for _, mode := range d["response_modes_supported"].([]any) {
			if got := v.get(t, b.authorizeURL("response_mode", mode.(string), "prompt", "none")); got.response(t).Get("error") != "login_required" {
				t.Errorf("response_mode %v is advertised and refused: %v", mode, got.Left)
			}
		}
	})
}

func TestP07_TestKY01_JWKSHoldsPublicHalvesOnly(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		a := b.visitor(t).fetch(t, b.discovery(t)["jwks_uri"].(string))
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
		for _, alg := range b.discovery(t)["id_token_signing_alg_values_supported"].([]any) {
			ready := slices.ContainsFunc(set.Keys, func(k map[string]any) bool { return k["alg"] == alg })
			if !ready {
				t.Errorf("no key for the advertised algorithm %v", alg)
			}
		}
		if len(set.Keys) < 4 {
			t.Errorf("%d keys are published: every algorithm needs the one that signs and the next", len(set.Keys))
		}
	})
}

// publicKeys reads the JWKS with a library that is not ours.
func (b *testbed) publicKeys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	a := b.visitor(t).fetch(t, b.discovery(t)["jwks_uri"].(string))
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if k, ok := key.Key.(*rsa.PublicKey); !key.Valid() || !key.IsPublic() || ok && k.N.BitLen() < 2048 {
			t.Errorf("key %s is not a good public key", key.KeyID)
		}
	}
	return set
}

// Nobody can poison a cache: what is asked with changes nothing (KY-13).
func TestKY13_DocumentsDoNotDependOnTheRequest(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, path := range []string{wellKnown, "/.well-known/oauth-authorization-server", "/jwks"} {
			want := v.fetch(t, b.Issuer+path)
			if !strings.HasPrefix(want.Header.Get("Cache-Control"), "public, max-age=") || want.Header.Get("ETag") == "" {
				t.Errorf("%s: Cache-Control %q, ETag %q", path, want.Header.Get("Cache-Control"), want.Header.Get("ETag"))
			}
			for _, query := range []string{"?x=1", "?issuer=https://evil.example", "?"} {
				if got := v.fetch(t, b.Issuer+path+query); got.Body != want.Body {
					t.Errorf("%s%s differs", path, query)
				}
			}
			r, _ := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
			r.Header.Set("If-None-Match", want.Header.Get("ETag"))
			if got := do(t, direct, r); got.StatusCode != http.StatusNotModified || got.Body != "" {
				t.Errorf("%s: with its ETag got %d", path, got.StatusCode)
			}
		}
	})
}
