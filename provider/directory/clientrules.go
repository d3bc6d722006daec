package storage

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/federation/foreign"
)

// The grant types a client can be registered for (RFC 7591, section 2).
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
)

const (
	maxURI     = 2000 // characters; longer ones do not survive every browser and proxy
	maxText    = 200
	maxGrace   = 5 * time.Minute
	maxEntries = 100
)

// NewClient gives a client of that type with the type's defaults. It has neither
// redirect URIs nor a secret yet. How a web client or a service sends its secret is
// not chosen: either way is accepted, see Client.AllowsAuthMethod.
func NewClient(t ClientType, id, name string) Client {
	c := Client{ID: id, Name: name, Type: t, RefreshGrace: -1}
	m := &c.Metadata
	switch t {
	case Web:
		m.GrantTypes = []string{GrantCode, GrantRefresh}
	case SPA:
		m.TokenEndpointAuthMethod = AuthNone
		m.GrantTypes = []string{GrantCode, GrantRefresh}
	case Native:
		m.TokenEndpointAuthMethod = AuthNone
		m.GrantTypes = []string{GrantCode, GrantRefresh, GrantDevice}
	case Service:
		m.GrantTypes = []string{GrantClientCredentials}
	}
	if slices.Contains(m.GrantTypes, GrantCode) {
		m.ResponseTypes = []string{"code"}
	}
	return c
}

// AllowsRedirect reports whether an authorization response may go to uri: it must
// equal a registered redirect URI byte for byte (RFC 9700, section 2.1). Of a
// native client's http loopback literal the port may be any, since the
// application learns it when it starts (RFC 8252, section 7.3).
func (c Client) AllowsRedirect(uri string) bool { return c.allows(c.Metadata.RedirectURIs, uri) }

// AllowsPostLogoutRedirect reports whether a browser may be sent to uri after it
// signed out (OIDC RP-Initiated Logout, section 3), by the same comparison.
func (c Client) AllowsPostLogoutRedirect(uri string) bool {
	return c.allows(c.Metadata.PostLogoutRedirectURIs, uri)
}

func (c Client) allows(registered []string, uri string) bool {
	// Asked again at use: a row may be older than the rule.
	if scheme, _, ok := strings.Cut(uri, ":"); !ok || slices.Contains(runnable, strings.ToLower(scheme)) || len(uri) > maxURI {
		return false
	}
	if slices.Contains(registered, uri) {
		return true
	}
	if c.Type != Native {
		return false
	}
	host, rest, ok := loopback(uri)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		h, tail, ok := loopback(r)
		return ok && h == host && tail == rest
	})
}

// loopback splits an http URI whose host is a loopback literal around its port,
// by bytes: what was registered must come back as it was, but for the port.
func loopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			rest = strings.TrimLeft(port, "0123456789")
			if !isPort(port[:len(port)-len(rest)]) {
				return "", "", false
			}
		}
		return host, rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", "", false
}

func isPort(digits string) bool {
	n, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && n > 0 && digits[0] != '0'
}

// Validate checks all that can be said about a client by itself, and gives every
// problem at once (errors.Join), each beginning with the member it is about as
// RFC 7591 names it.
func (c Client) Validate() error { return errors.Join(c.problems()...) }

// ValidateChange is Validate for a client that was before: a value that is not in order
// but was stored under an older rule may stay, until it is changed.
func (c Client) ValidateChange(before Client) error {
	old := map[string]bool{}
	for _, problem := range before.problems() {
		old[problem.Error()] = true
	}
	sameKeys := c.Metadata.JWKS == before.Metadata.JWKS
	return errors.Join(slices.DeleteFunc(c.problems(), func(problem error) bool {
		text := problem.Error()
		quoted := strings.Contains(text, `: "`) // it names the value, so that it is the same value's
		return old[text] && (quoted || sameKeys && strings.HasPrefix(text, "jwks: "))
	})...)
}

func (c Client) problems() []error {
	v := &clientProblems{}
	v.identity(c)
	v.authentication(c)
	v.grants(c)
	v.redirects(c)
	v.links(c.Metadata)
	v.keys(c.Metadata)
	v.details(c)
	return v.found
}

// clientProblems collects what is wrong with a client.
type clientProblems struct{ found []error }

func (v *clientProblems) add(member, format string, args ...any) {
	v.found = append(v.found, fmt.Errorf("%s: %w", member, fmt.Errorf(format, args...)))
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$`)

func (v *clientProblems) identity(c Client) {
	switch {
	case !clientID.MatchString(c.ID):
		v.add("client_id", "must be 1 to 128 letters, digits, or . _ ~ -, and not begin with a dot")
	case strings.HasPrefix(c.ID, "usr_"):
		// A client's own token has the client id as its subject: it must not look like a person's.
		v.add("client_id", "must not begin with usr_, as the subjects of users do")
	}
	if strings.TrimSpace(c.Name) == "" {
		v.add("client_name", "is missing: people read it on the consent page")
	}
	v.text("client_name", c.Name)
	if !slices.Contains([]ClientType{Web, SPA, Native, Service}, c.Type) {
		v.add("type", "%q is not web, spa, native or service", c.Type)
	}
}

func (v *clientProblems) authentication(c Client) {
	method := c.Metadata.TokenEndpointAuthMethod
	if !slices.Contains([]string{"", AuthNone, AuthBasic, AuthPost}, method) {
		v.add("token_endpoint_auth_method", "%q is not none, client_secret_basic or client_secret_post; leave it empty to let a client send its secret in either way", method)
	}
	switch {
	case (c.Type == SPA || c.Type == Native) && !c.Public():
		v.add("token_endpoint_auth_method", "a client of type %s can keep no secret: it must be none", c.Type)
	case c.Type == Service && c.Public():
		v.add("token_endpoint_auth_method", "a service must authenticate: none is not possible")
	}
	if c.Public() && (c.Secrets[0].Hash != "" || c.Secrets[1].Hash != "") {
		v.add("client_secret", "a client that does not authenticate must have none")
	}
	if c.Public() && c.PKCEOptional {
		v.add("pkce_optional", "only a client that authenticates can be let off PKCE (RFC 9700, section 2.1.1)")
	}
	if c.Public() && c.Introspects {
		v.add("introspect", "only a client that authenticates can introspect tokens (RFC 7662, section 2.1)")
	}
}

func (v *clientProblems) grants(c Client) {
	m := c.Metadata
	if len(m.GrantTypes) == 0 {
		v.add("grant_types", "is empty: the client could get no token")
	}
	v.oneOf("grant_types", m.GrantTypes, GrantCode, GrantRefresh, GrantClientCredentials, GrantDevice)
	v.oneOf("response_types", m.ResponseTypes, "code")
	code := slices.Contains(m.GrantTypes, GrantCode)
	device := slices.Contains(m.GrantTypes, GrantDevice)
	if code != slices.Contains(m.ResponseTypes, "code") {
		v.add("response_types", "code and the grant type authorization_code go together (RFC 7591, section 2.1)")
	}
	if slices.Contains(m.GrantTypes, GrantRefresh) && !code && !device {
		v.add("grant_types", "refresh_token needs authorization_code or device_code beside it")
	}
	if slices.Contains(m.GrantTypes, GrantClientCredentials) && c.Public() && c.Type != Service {
		v.add("grant_types", "client_credentials is for clients that authenticate (RFC 6749, section 4.4)")
	}
	if c.Type == Service && (code || device) {
		v.add("grant_types", "a service acts for itself: client_credentials only")
	}
	for _, scope := range strings.Fields(m.Scope) {
		if strings.ContainsFunc(scope, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }) {
			v.add("scope", "%q has characters that a scope cannot have (RFC 6749, section 3.3)", scope)
		}
		if c.Type == Service && (scope == "openid" || scope == "offline_access") {
			v.add("scope", "%s is about people: a service acts for itself", scope)
		}
	}
	if len(m.Scope) > maxURI {
		v.add("scope", "has more than %d characters", maxURI)
	}
}

func (v *clientProblems) oneOf(member string, values []string, allowed ...string) {
	for i, value := range values {
		if !slices.Contains(allowed, value) {
			v.add(member, "%q is not supported: %s", value, strings.Join(allowed, ", "))
		}
		if slices.Contains(values[:i], value) {
			v.add(member, "%q stands twice", value)
		}
	}
}

func (v *clientProblems) redirects(c Client) {
	m := c.Metadata
	needs := slices.Contains(m.GrantTypes, GrantCode)
	switch {
	case needs && len(m.RedirectURIs) == 0:
		v.add("redirect_uris", "is empty: the authorization code must have somewhere to go")
	case !needs && len(m.RedirectURIs) > 0:
		v.add("redirect_uris", "must be empty: this client never asks for an authorization code")
	}
	for _, uri := range m.RedirectURIs {
		if err := redirectURI(uri, c.Type); err != nil {
			v.add("redirect_uris", "%q %w", shortened(uri), err)
		} else if name := responseParameter(uri); name != "" {
			// RFC 6749, section 3.1.2: the client would see the parameter twice.
			v.add("redirect_uris", "%q has the query parameter %s, which the answer itself may carry", shortened(uri), name)
		}
	}
	for _, uri := range m.PostLogoutRedirectURIs {
		if err := redirectURI(uri, c.Type); err != nil {
			v.add("post_logout_redirect_uris", "%q %w", shortened(uri), err)
		}
	}
	v.count("redirect_uris", m.RedirectURIs)
	v.count("post_logout_redirect_uris", m.PostLogoutRedirectURIs)
}

func (v *clientProblems) links(m ClientMetadata) {
	for _, link := range []struct{ member, uri string }{
		{"client_uri", m.ClientURI},
		{"logo_uri", m.LogoURI},
		{"policy_uri", m.PolicyURI},
		{"tos_uri", m.TosURI},
		{"jwks_uri", m.JWKSURI},
		{"initiate_login_uri", m.InitiateLoginURI},
		{"backchannel_logout_uri", m.BackchannelLogoutURI},
		{"frontchannel_logout_uri", m.FrontchannelLogoutURI},
	} {
		if link.uri == "" {
			continue
		}
		if err := redirectURI(link.uri, Web); err != nil {
			v.add(link.member, "%q %w", shortened(link.uri), err)
		}
	}
	if m.BackchannelLogoutSession && m.BackchannelLogoutURI == "" {
		v.add("backchannel_logout_session_required", "needs a backchannel_logout_uri")
	}
}

// keys checks the client's own public keys.
func (v *clientProblems) keys(m ClientMetadata) {
	if m.JWKS == "" {
		return
	}
	if m.JWKSURI != "" {
		v.add("jwks", "and jwks_uri exclude each other (RFC 7591, section 2)")
	}
	if _, err := foreign.ReadKeySet([]byte(m.JWKS)); err != nil {
		v.add("jwks", "%w", err)
	}
}

// idTokenAlgs is what ID tokens can be signed with; the default comes first.
var idTokenAlgs = []string{"RS256", "ES256", "EdDSA", "PS256"}

func (v *clientProblems) details(c Client) {
	m := c.Metadata
	if m.SubjectType != "" && m.SubjectType != "public" {
		v.add("subject_type", "%q is not supported: public", m.SubjectType)
	}
	if alg := m.IDTokenSignedResponseAlg; alg != "" && !slices.Contains(idTokenAlgs, alg) {
		v.add("id_token_signed_response_alg", "%q is not supported: %s", alg, strings.Join(idTokenAlgs, ", "))
	}
	if m.DefaultMaxAge != nil && *m.DefaultMaxAge < 0 {
		v.add("default_max_age", "must not be negative")
	}
	switch {
	case c.PromptLogin != "" && c.PromptLogin != PromptLoginBestEffort:
		v.add("prompt_login", "%q is neither strict nor best-effort", shortened(c.PromptLogin))
	case c.PromptLogin != "" && !slices.Contains(m.GrantTypes, GrantCode):
		v.add("prompt_login", "best-effort is for clients that people sign in to: this one may not use the grant type authorization_code")
	}
	if c.RefreshGrace != -1 && (c.RefreshGrace < 0 || c.RefreshGrace > maxGrace) {
		v.add("refresh_grace", "must be between 0s and %s", maxGrace)
	}
	for member, list := range map[string][]string{"contacts": m.Contacts, "default_acr_values": m.DefaultACRValues} {
		v.count(member, list)
		for _, value := range list {
			v.text(member, value)
		}
	}
	v.text("software_id", m.SoftwareID)
	v.text("software_version", m.SoftwareVersion)
	for _, origin := range c.Origins {
		if err := originOf(origin); err != nil {
			v.add("allow_origins", "%q %w", shortened(origin), err)
		}
	}
	for member, list := range map[string][]string{"resources": c.Resources, "audiences": c.Audiences} {
		v.count(member, list)
		for _, uri := range list {
			if err := resourceURI(uri); err != nil {
				v.add(member, "%q %w", shortened(uri), err)
			}
		}
	}
}

func (v *clientProblems) text(member, s string) {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		v.add(member, "has control characters or is not UTF-8")
	case utf8.RuneCountInString(s) > maxText:
		v.add(member, "has more than %d characters", maxText)
	}
}

func (v *clientProblems) count(member string, list []string) {
	if len(list) > maxEntries {
		v.add(member, "has more than %d entries", maxEntries)
	}
}

// shortened keeps an error readable when the value is not.
func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// runnable are schemes with which a browser runs or opens something of its own
// instead of asking an application.
var runnable = []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"}

// redirectURI says why a browser may not be sent to uri for a client of that type.
func redirectURI(uri string, t ClientType) error {
	u, err := url.Parse(uri)
	switch {
	case len(uri) > maxURI:
		return fmt.Errorf("has more than %d characters", maxURI)
	case !plainASCII(uri):
		return errors.New("has spaces, control characters, a backslash or letters outside ASCII: escape them")
	case err != nil || !u.IsAbs():
		return errors.New("is not an absolute URI")
	case slices.Contains(runnable, u.Scheme):
		return fmt.Errorf("has the scheme %s, which a browser runs itself", u.Scheme)
	case strings.Contains(uri, "#"):
		return errors.New("has a fragment (RFC 6749, section 3.1.2)")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return errors.New("holds a user name or password")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return errors.New("must have its scheme in lower case")
	case u.Scheme == "https" || u.Scheme == "http":
		return webURI(u)
	case t != Native:
		return errors.New("must be https (http only on a loopback host)")
	case !strings.Contains(u.Scheme, "."), strings.Contains(u.Scheme+".", ".."):
		// RFC 8252, section 7.1: a scheme without a domain in it belongs to everybody.
		return errors.New("must have a scheme in reverse domain form, such as com.example.app:/callback")
	}
	return nil
}

// resourceURI says why uri names no API (RFC 8707, section 2). Any scheme will do; one
// of the web has a host as redirect URIs have it, so that a client may compare it parsed.
func resourceURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || strings.Contains(uri, "#") || !plainASCII(uri) || len(uri) > maxURI {
		return errors.New("is not an absolute URI without a fragment")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	if u.User != nil {
		return errors.New("holds a user name or password")
	}
	return foreign.CheckAuthority(u)
}

func webURI(u *url.URL) error {
	literal := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("has no host")
	case u.Host != strings.ToLower(u.Host):
		return errors.New("must have its host in lower case")
	case strings.ContainsAny(u.Host, "*%"):
		return errors.New("has a pattern or an escape in its host: name every host by itself")
	case u.Scheme == "http" && !literal:
		return errors.New("must be https: http is for localhost, 127.0.0.1 and [::1] only")
	}
	if err := foreign.CheckAuthority(u); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // unescaped, so %2e%2e is seen as well
		if segment == "." || segment == ".." {
			return errors.New("has a dotted path segment, which browsers rewrite")
		}
	}
	return nil
}

// plainASCII reports whether s has only what RFC 3986 lets into a URI.
func plainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) })
}

// responseParameter gives the first query parameter of uri that an authorization
// response may carry itself, or "".
func responseParameter(uri string) string {
	_, query, _ := strings.Cut(uri, "?")
	parsed, err := url.ParseQuery(query)
	if err != nil {
		return "that cannot be read"
	}
	for _, name := range []string{
		"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state",
		"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token",
	} {
		if parsed.Has(name) {
			return name
		}
	}
	return ""
}

// originOf says why a string is not what a browser sends as Origin.
func originOf(origin string) error {
	if err := redirectURI(origin, Web); err != nil {
		return err
	}
	if u, err := url.Parse(origin); err != nil || u.Scheme+"://"+u.Host != origin {
		return errors.New("must be scheme, host and port alone, without a slash at its end")
	}
	return nil
}
