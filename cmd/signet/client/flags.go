package client

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// clientFlags holds a flag for every field of a client. The flags have the names of RFC 7591 in
// kebab-case; the flag of a list is in the singular and can be repeated.
//
// Without its flag, a field keeps its value, or the default of the type in a new client. An
// empty value clears the field.
type clientFlags struct {
	set     *pflag.FlagSet
	names   []string
	setters []func(*storage.Client) error
}

// flagHelp holds the help text of the flag of each field. Fields that are not supported yet have
// hidden flags, so that their refusal has its stable code.
var flagHelp = map[string]string{
	"client_name":                           "name of the client, shown to users",
	"type":                                  "web (the default for a new client), spa, native or service; if an update needs other flags for the type, the error names them",
	"redirect_uris":                         "URI that may receive authorization responses",
	"post_logout_redirect_uris":             "URI that the browser may return to after a sign-out",
	"token_endpoint_auth_method":            "none, client_secret_basic, client_secret_post or private_key_jwt (default: a client with a secret may use both secret methods)",
	"token_endpoint_auth_signing_alg":       "only algorithm that may sign the client's assertions: RS256, PS256, ES256 or EdDSA (default: all of them)",
	"grant_types":                           "grant type that the client may use",
	"response_types":                        "response type that the client may use",
	"scope":                                 "scope that the client may request: a standard scope (default: all of them) or, for a service, a scope of your APIs",
	"client_uri":                            "home page of the client; the sign-in pages link to it",
	"logo_uri":                              "picture of the client (PNG, JPEG, GIF or WebP, at most 256 KB); Signet fetches it, and the sign-in pages show it",
	"policy_uri":                            "privacy policy of the client; the sign-in pages link to it",
	"tos_uri":                               "terms of service of the client; the sign-in pages link to them",
	"contacts":                              "contact for users if the client sends a wrong request, such as an email address; the error page shows it",
	"jwks":                                  "file with the client's public keys, a JSON Web Key Set; they verify its assertions and request objects",
	"jwks_uri":                              "URL of the client's public keys, a JSON Web Key Set; Signet fetches them when it must verify a signature of the client",
	"software_id":                           "identifier of the software that the client is an installation of",
	"software_version":                      "version of that software",
	"subject_type":                          "public (the default): all clients see a user under the same subject; pairwise: only the clients of one host do",
	"sector_identifier_uri":                 "https URL of a JSON list of the redirect URIs; pairwise subjects belong to its host, for clients whose redirect URIs have several hosts",
	"id_token_signed_response_alg":          "algorithm that signs ID tokens: RS256 (the default), ES256, EdDSA or PS256",
	"userinfo_signed_response_alg":          "/userinfo answers with a JWT that is signed with this algorithm; without it, the answer is JSON",
	"default_max_age":                       "require a new sign-in if the last one is older than this, in seconds",
	"require_auth_time":                     "accept only sign-ins with a known time, so that every ID token contains auth_time",
	"default_acr_values":                    "acr that the client prefers, the best first: urn:signet:1fa, one proof of any kind; urn:signet:2fa, a second factor too; phr, a passkey or security key",
	"initiate_login_uri":                    "https URI at which the application starts a sign-in; pages link to it",
	"backchannel_logout_uri":                "URI that receives a logout token when a session ends",
	"backchannel_logout_session_required":   "the logout token must contain the session id (it always does)",
	"frontchannel_logout_uri":               "URI that the page after a sign-out opens in an iframe, at the scheme, host and port of a redirect URI; needs the setting frontchannel_logout",
	"frontchannel_logout_session_required":  "that iframe must get iss and sid (it always does)",
	"resources":                             "audience that the client may request",
	"audiences":                             "the client is the API with this audience, and may introspect tokens for it",
	"allow_origins":                         "additional origin that may call Signet with CORS",
	"refresh_grace":                         "time for which a replaced refresh token is still accepted, 0s to 5m (default: the setting lifetimes.refresh_grace)",
	"skip_consent":                          "never ask users for consent",
	"first_party":                           "the client is your own app: it needs no consent and may use the sign-in cookies",
	"introspect":                            "the client may introspect all tokens, not only those for itself",
	"admin_api":                             "the service may use the administration API, with the scopes signet:read (the default), signet:users, signet:clients, signet:keys or signet:admin",
	"pkce_optional":                         "a client with a secret may omit PKCE and the nonce",
	"unverified_email":                      "the client also receives unproven email addresses (email_verified: false); other clients receive only proven ones",
	"require_pushed_authorization_requests": "the client must push its authorization requests (RFC 9126)",
	"request_object_signing_alg":            "only algorithm that may sign the client's request objects: RS256, PS256, ES256 or EdDSA (default: all of them)",
	"require_signed_request_object":         "the client must send its authorization requests as signed request objects (RFC 9101)",
	"require_acr":                           "every sign-in to the client must reach this acr: urn:signet:1fa, urn:signet:2fa or phr; people who have no such way to sign in must add one first",
	"prompt_login": "strict (the default): prompt=login and max_age require that the user proves their identity again, and otherwise fail with login_required; " +
		"best-effort: a sign-in through an upstream that does not ask again is enough",
}

// flagOf returns the name of the flag of a field.
func flagOf(f directory.ClientField) string {
	name := strings.ReplaceAll(f.Name, "_", "-")
	if _, list := f.At(new(storage.Client)).(*[]string); list {
		name = strings.TrimSuffix(name, "s")
	}
	if f.Name == "client_name" {
		name = "name"
	}
	return name
}

func addClientFlags(c *cobra.Command) *clientFlags {
	f := &clientFlags{set: c.Flags()}
	for _, field := range directory.ClientFields() {
		f.add(flagOf(field), flagHelp[field.Name], field)
	}
	return f
}

// add adds the flag of a field. The type of the field decides the type of the flag.
func (f *clientFlags) add(name, help string, field directory.ClientField) {
	switch field.At(new(storage.Client)).(type) {
	case *[]string:
		values := f.set.StringArray(name, nil, help+" (repeat for more)")
		addSetter(f, name, field, func() ([]string, error) { return cli.DropEmpty(*values), nil })
	case *directory.Words:
		values := f.set.StringArray(name, nil, help+" (repeat for more)")
		addSetter(f, name, field, func() (directory.Words, error) {
			return directory.Words(strings.Join(strings.Fields(strings.Join(*values, " ")), " ")), nil
		})
	case *bool:
		value := f.set.Bool(name, false, help)
		addSetter(f, name, field, func() (bool, error) { return *value, nil })
	case *time.Duration:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (time.Duration, error) { return parseGrace(name, *value) })
	case **int64:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (*int64, error) { return parseSeconds(name, *value) })
	case *storage.ClientType:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, func() (storage.ClientType, error) { return storage.ClientType(*value), nil })
	case *string:
		value := f.set.String(name, "", help)
		addSetter(f, name, field, textOf(name, value, field))
	}
}

// addSetter adds a function that sets the field to the result of read if the flag was passed.
func addSetter[V any](f *clientFlags, name string, field directory.ClientField, read func() (V, error)) {
	f.names = append(f.names, name)
	f.setters = append(f.setters, func(c *storage.Client) error {
		if !f.set.Changed(name) {
			return nil
		}
		value, err := read()
		if err == nil {
			*field.At(c).(*V) = value
		}
		return err
	})
}

// apply sets the fields of c for all passed flags.
func (f *clientFlags) apply(c *storage.Client) error {
	for _, set := range f.setters {
		if err := set(c); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if the value of a flag cannot be parsed.
func (f *clientFlags) check() error { return f.apply(new(storage.Client)) }

// kind returns the value of --type. Without the flag, it returns the type that the library needs, or
// web.
func (f *clientFlags) kind(library directory.Library) storage.ClientType {
	if flag := f.set.Lookup("type"); flag.Changed {
		return storage.ClientType(flag.Value.String())
	}
	return cmp.Or(library.Type, storage.Web)
}

// anyPassed reports whether one of the flags was passed.
func (f *clientFlags) anyPassed() bool { return slices.ContainsFunc(f.names, f.set.Changed) }

func parseSeconds(name, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("--%s %q is not a number of seconds", name, text)
	}
	return &n, nil
}

// parseGrace parses --refresh-grace. It returns -1 for an empty text: the setting counts.
func parseGrace(name, text string) (time.Duration, error) {
	if text == "" {
		return -1, nil
	}
	d, err := config.ParseDuration(text, 0, math.MaxInt64)
	if err != nil {
		return 0, fmt.Errorf("--%s %w", name, err)
	}
	return d, nil
}

// textOf returns a function that reads the value of a text flag. The value of --jwks is a file,
// which is read only once even if the flags are applied more than once.
func textOf(name string, value *string, field directory.ClientField) func() (string, error) {
	if field.Name == "jwks" {
		return sync.OnceValues(func() (string, error) { return readFile(name, *value) })
	}
	return func() (string, error) {
		if *value == field.Default {
			return "", nil
		}
		return *value, nil
	}
}

func readFile(name, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--%s %s: %s", name, path, exit.WithoutPath(err))
	}
	return strings.TrimSpace(string(content)), nil
}
