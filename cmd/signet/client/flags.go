package client

import (
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

// clientFlags is a flag for every field of a client: the names of RFC 7591 in kebab-case,
// lists as a repeated flag in the singular. A field whose flag is not given stays as it is;
// in a new client it is the default of the type. An empty value clears the field.
type clientFlags struct {
	set   *pflag.FlagSet
	names []string
	apply []func(*storage.Client) error
}

// abouts says in the help what a field is for. The flag of a field that is not supported
// yet is not in the help; it is there so that the refusal has its stable code.
var abouts = map[string]string{
	"client_name":                         "name that people see",
	"type":                                "web (the default of a new client), spa, native or service; an update names what else the type asks for",
	"redirect_uris":                       "where authorization responses may go",
	"post_logout_redirect_uris":           "where a browser may go after signing out",
	"token_endpoint_auth_method":          "none, client_secret_basic or client_secret_post (not given: a client with a secret may send it in either way)",
	"grant_types":                         "grant type it may use",
	"response_types":                      "response type it may use",
	"scope":                               "scope it may ask for: of people (none given: every standard one) or, for a service, of your APIs",
	"client_uri":                          "its home page, which the sign-in pages link to",
	"policy_uri":                          "its privacy policy, which the sign-in pages link to",
	"tos_uri":                             "its terms of service, which the sign-in pages link to",
	"contacts":                            "who people should tell when it sends something wrong, such as an e-mail address: the error page shows it",
	"subject_type":                        "public",
	"id_token_signed_response_alg":        "RS256 (the default), ES256, EdDSA or PS256",
	"default_max_age":                     "ask for a sign-in when the last is older, in seconds",
	"require_auth_time":                   "want sign-ins whose time is known, so that every ID token has auth_time",
	"initiate_login_uri":                  "where a sign-in that took too long is started again",
	"backchannel_logout_uri":              "where it is told that a session ended",
	"backchannel_logout_session_required": "it must be told which session (it always is)",
	"resources":                           "audience it may ask for",
	"audiences":                           "API that it is",
	"allow_origins":                       "further origin that may call with CORS",
	"refresh_grace":                       "how long a replaced refresh token is answered again, 0s to 5m (default: the setting)",
	"skip_consent":                        "never ask the person for consent",
	"first_party":                         "it is ours: no consent, and it may live on the sign-in cookies",
	"introspect":                          "it may introspect every token, not only those for it",
	"pkce_optional":                       "let this client with a secret go without PKCE and without a nonce",
	"unverified_email":                    "it also receives e-mail addresses that nobody has proven (email_verified: false); others receive proven ones alone",
	"prompt_login": "strict (the default): prompt=login and max_age want a new proof, or are answered with login_required; " +
		"best-effort: signing in through an upstream that does not ask again is enough",
}

// flagOf is the name of the flag of a field.
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
		name := flagOf(field)
		if field.Supported() {
			f.add(name, abouts[field.Name], field)
			continue
		}
		f.add(name, "not supported yet", field)
		f.set.Lookup(name).Hidden = true
	}
	return f
}

// add makes the flag of a field, by the kind of its value.
func (f *clientFlags) add(name, about string, field directory.ClientField) {
	switch field.At(new(storage.Client)).(type) {
	case *[]string:
		values := f.set.StringArray(name, nil, about+" (repeat for more)")
		given(f, name, field, func() ([]string, error) { return cli.DropEmpty(*values), nil })
	case *directory.Words:
		values := f.set.StringArray(name, nil, about+" (repeat for more)")
		given(f, name, field, func() (directory.Words, error) {
			return directory.Words(strings.Join(strings.Fields(strings.Join(*values, " ")), " ")), nil
		})
	case *bool:
		value := f.set.Bool(name, false, about)
		given(f, name, field, func() (bool, error) { return *value, nil })
	case *time.Duration:
		value := f.set.String(name, "", about)
		given(f, name, field, func() (time.Duration, error) { return grace(name, *value) })
	case **int64:
		value := f.set.String(name, "", about)
		given(f, name, field, func() (*int64, error) { return seconds(name, *value) })
	case *storage.ClientType:
		value := f.set.String(name, "", about)
		given(f, name, field, func() (storage.ClientType, error) { return storage.ClientType(*value), nil })
	case *string:
		value := f.set.String(name, "", about)
		given(f, name, field, textOf(name, value, field))
	}
}

// given adds what happens when the flag was used: the field takes what read gives.
func given[V any](f *clientFlags, name string, field directory.ClientField, read func() (V, error)) {
	f.names = append(f.names, name)
	f.apply = append(f.apply, func(c *storage.Client) error {
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

// onto writes what was given over the client.
func (f *clientFlags) onto(c *storage.Client) error {
	for _, apply := range f.apply {
		if err := apply(c); err != nil {
			return err
		}
	}
	return nil
}

// kind is the type that was given, and web otherwise.
func (f *clientFlags) kind() storage.ClientType {
	if given := f.set.Lookup("type"); given.Changed {
		return storage.ClientType(given.Value.String())
	}
	return storage.Web
}

// any reports whether one of the flags was used.
func (f *clientFlags) any() bool { return slices.ContainsFunc(f.names, f.set.Changed) }

func seconds(name, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("--%s %q is not a number of seconds", name, text)
	}
	return &n, nil
}

// grace is -1, the setting's, for an empty text.
func grace(name, text string) (time.Duration, error) {
	if text == "" {
		return -1, nil
	}
	d, err := config.ParseDuration(text, 0, math.MaxInt64)
	if err != nil {
		return 0, fmt.Errorf("--%s %w", name, err)
	}
	return d, nil
}

// textOf reads a text, or the file that it names. The file is read once, although its
// content may be written over a client more than once. For a field that is not supported nothing is
// read, since its content makes no difference to the refusal.
func textOf(name string, value *string, field directory.ClientField) func() (string, error) {
	if field.Name == "jwks" && field.Supported() {
		return sync.OnceValues(func() (string, error) { return fileText(name, *value) })
	}
	return func() (string, error) {
		if *value == field.Default {
			return "", nil
		}
		return *value, nil
	}
}

func fileText(name, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("--%s %s: %s", name, path, exit.WithoutPath(err))
	}
	return strings.TrimSpace(string(content)), nil
}
