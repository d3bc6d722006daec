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

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/storage"
)

// clientFlags is a flag for every member of a client that can be set: the names
// of RFC 7591 in kebab-case, lists as a repeated flag in the singular. What is
// not given stays as it is, in a new client the default of its type; an empty
// value takes away what was there.
type clientFlags struct {
	set   *pflag.FlagSet
	names []string
	apply []func(*storage.Client) error
}

func addClientFlags(c *cobra.Command) *clientFlags {
	f := &clientFlags{set: c.Flags()}
	f.list("redirect-uri", "where authorization responses may go", func(c *storage.Client) *[]string { return &c.Metadata.RedirectURIs })
	f.list("post-logout-redirect-uri", "where a browser may go after signing out", func(c *storage.Client) *[]string { return &c.Metadata.PostLogoutRedirectURIs })
	f.text("token-endpoint-auth-method", "none, client_secret_basic or client_secret_post (not given: a client with a secret may send it in either way)", func(c *storage.Client) *string { return &c.Metadata.TokenEndpointAuthMethod })
	f.list("grant-type", "grant type it may use", func(c *storage.Client) *[]string { return &c.Metadata.GrantTypes })
	f.list("response-type", "response type it may use", func(c *storage.Client) *[]string { return &c.Metadata.ResponseTypes })
	f.words("scope", "scope it may ask for: of people (none given: every standard one) or, for a service, of your APIs", func(c *storage.Client) *string { return &c.Metadata.Scope })
	f.text("client-uri", "its home page", func(c *storage.Client) *string { return &c.Metadata.ClientURI })
	f.text("logo-uri", "its logo", func(c *storage.Client) *string { return &c.Metadata.LogoURI })
	f.text("policy-uri", "its privacy policy", func(c *storage.Client) *string { return &c.Metadata.PolicyURI })
	f.text("tos-uri", "its terms of service", func(c *storage.Client) *string { return &c.Metadata.TosURI })
	f.list("contact", "e-mail address of a person responsible for it", func(c *storage.Client) *[]string { return &c.Metadata.Contacts })
	f.file("jwks", "file with its public keys", func(c *storage.Client) *string { return &c.Metadata.JWKS })
	f.text("jwks-uri", "where its public keys are", func(c *storage.Client) *string { return &c.Metadata.JWKSURI })
	f.text("subject-type", "public", func(c *storage.Client) *string { return &c.Metadata.SubjectType })
	f.text("id-token-signed-response-alg", "RS256 (the default), ES256, EdDSA or PS256", func(c *storage.Client) *string { return &c.Metadata.IDTokenSignedResponseAlg })
	f.seconds("default-max-age", "ask for a sign-in when the last is older, in seconds", func(c *storage.Client) **int64 { return &c.Metadata.DefaultMaxAge })
	f.truth("require-auth-time", "always put auth_time into ID tokens", func(c *storage.Client) *bool { return &c.Metadata.RequireAuthTime })
	f.list("default-acr-value", "acr to ask for when a request names none", func(c *storage.Client) *[]string { return &c.Metadata.DefaultACRValues })
	f.text("initiate-login-uri", "where others may send a person to start a sign-in", func(c *storage.Client) *string { return &c.Metadata.InitiateLoginURI })
	f.text("backchannel-logout-uri", "where it is told that a session ended", func(c *storage.Client) *string { return &c.Metadata.BackchannelLogoutURI })
	f.truth("backchannel-logout-session-required", "it must be told which session", func(c *storage.Client) *bool { return &c.Metadata.BackchannelLogoutSession })
	f.text("frontchannel-logout-uri", "page that signs out in the browser", func(c *storage.Client) *string { return &c.Metadata.FrontchannelLogoutURI })
	f.text("software-id", "identifier of the software", func(c *storage.Client) *string { return &c.Metadata.SoftwareID })
	f.text("software-version", "version of the software", func(c *storage.Client) *string { return &c.Metadata.SoftwareVersion })

	f.list("resource", "audience it may ask for", func(c *storage.Client) *[]string { return &c.Resources })
	f.list("audience", "API that it is", func(c *storage.Client) *[]string { return &c.Audiences })
	f.list("allow-origin", "further origin that may call with CORS", func(c *storage.Client) *[]string { return &c.Origins })
	f.grace("refresh-grace", "how long a replaced refresh token is answered again, 0s to 5m (default: the setting)", func(c *storage.Client) *time.Duration { return &c.RefreshGrace })
	f.truth("skip-consent", "never ask the person for consent", func(c *storage.Client) *bool { return &c.SkipConsent })
	f.truth("first-party", "it is ours: no consent, and it may live on the sign-in cookies", func(c *storage.Client) *bool { return &c.FirstParty })
	f.truth("introspect", "it may introspect every token, not only those for it", func(c *storage.Client) *bool { return &c.Introspects })
	f.truth("pkce-optional", "let this client with a secret go without PKCE and without a nonce", func(c *storage.Client) *bool { return &c.PKCEOptional })
	f.truth("unverified-email", "it also receives e-mail addresses that nobody has proven (email_verified: false); others receive proven ones alone", func(c *storage.Client) *bool { return &c.UnverifiedEmail })
	f.promptLogin("prompt-login", "strict (the default): prompt=login and max_age want a new proof, or are answered with login_required; "+
		"best-effort: signing in through an upstream that does not ask again is enough")
	return f
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

// any reports whether one of the flags was used.
func (f *clientFlags) any() bool { return slices.ContainsFunc(f.names, f.set.Changed) }

// given adds what happens when the flag was used.
func (f *clientFlags) given(name string, apply func(*storage.Client) error) {
	f.names = append(f.names, name)
	f.apply = append(f.apply, func(c *storage.Client) error {
		if !f.set.Changed(name) {
			return nil
		}
		return apply(c)
	})
}

func (f *clientFlags) list(name, about string, field func(*storage.Client) *[]string) {
	values := f.set.StringArray(name, nil, about+" (repeat for more)")
	f.given(name, func(c *storage.Client) error {
		*field(c) = slices.DeleteFunc(slices.Clone(*values), func(v string) bool { return v == "" })
		return nil
	})
}

func (f *clientFlags) text(name, about string, field func(*storage.Client) *string) {
	value := f.set.String(name, "", about)
	f.given(name, func(c *storage.Client) error {
		*field(c) = *value
		return nil
	})
}

// words is a list that is stored with spaces between.
func (f *clientFlags) words(name, about string, field func(*storage.Client) *string) {
	values := f.set.StringArray(name, nil, about+" (repeat for more)")
	f.given(name, func(c *storage.Client) error {
		*field(c) = strings.Join(strings.Fields(strings.Join(*values, " ")), " ")
		return nil
	})
}

func (f *clientFlags) truth(name, about string, field func(*storage.Client) *bool) {
	value := f.set.Bool(name, false, about)
	f.given(name, func(c *storage.Client) error {
		*field(c) = *value
		return nil
	})
}

func (f *clientFlags) seconds(name, about string, field func(*storage.Client) **int64) {
	text := f.set.String(name, "", about)
	f.given(name, func(c *storage.Client) error {
		if *field(c) = nil; *text == "" {
			return nil
		}
		n, err := strconv.ParseInt(*text, 10, 64)
		if err != nil {
			return fmt.Errorf("--%s %q is not a number of seconds", name, *text)
		}
		*field(c) = &n
		return nil
	})
}

func (f *clientFlags) grace(name, about string, field func(*storage.Client) *time.Duration) {
	text := f.set.String(name, "", about)
	f.given(name, func(c *storage.Client) (err error) {
		if *field(c) = -1; *text == "" { // the setting
			return nil
		}
		if *field(c), err = config.ParseDuration(*text, 0, math.MaxInt64); err != nil {
			return fmt.Errorf("--%s %w", name, err)
		}
		return nil
	})
}

// promptLogin is a choice of which the first is stored as "".
func (f *clientFlags) promptLogin(name, about string) {
	value := f.set.String(name, "", about)
	f.given(name, func(c *storage.Client) error {
		switch *value {
		case "", promptLoginStrict:
			c.PromptLogin = ""
		case storage.PromptLoginBestEffort:
			c.PromptLogin = *value
		default:
			return fmt.Errorf("--%s %q is neither %s nor %s", name, *value, promptLoginStrict, storage.PromptLoginBestEffort)
		}
		return nil
	})
}

// promptLoginStrict is what people call the default of Client.PromptLogin.
const promptLoginStrict = "strict"

// file is read once: what is given may be written over a client more than once.
func (f *clientFlags) file(name, about string, field func(*storage.Client) *string) {
	path := f.set.String(name, "", about)
	read := sync.OnceValues(func() (string, error) {
		if *path == "" {
			return "", nil
		}
		content, err := os.ReadFile(*path)
		if err != nil {
			return "", fmt.Errorf("--%s %s: %s", name, *path, exit.Reason(err))
		}
		return strings.TrimSpace(string(content)), nil
	})
	f.given(name, func(c *storage.Client) (err error) {
		*field(c), err = read()
		return err
	})
}
