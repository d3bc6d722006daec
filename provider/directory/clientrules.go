package directory

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/storage"
)

const (
	maxText    = 200 // characters
	maxEntries = 100
	maxGrace   = 5 * time.Minute
)

// clientRule is the rule of one member of a client, named as RFC 7591 names it. Its
// check reports every problem of the member, without the member's name.
type clientRule struct {
	member string
	check  func(c storage.Client, wrong report)
}

// report takes one problem, as a format with its values.
type report func(format string, args ...any)

var clientRules = []clientRule{
	{"client_id", checkClientID},
	{"client_name", checkClientName},
	{"type", checkClientType},
	{"token_endpoint_auth_method", checkAuthMethod},
	{"client_secret", checkSecrets},
	{"pkce_optional", checkPKCEOptional},
	{"introspect", checkIntrospects},
	{"grant_types", checkGrantTypes},
	{"response_types", checkResponseTypes},
	{"scope", checkScope},
	{"redirect_uris", checkRedirectURIs},
	{"post_logout_redirect_uris", checkPostLogoutRedirectURIs},
	{"client_uri", link(func(m storage.ClientMetadata) string { return m.ClientURI })},
	{"logo_uri", link(func(m storage.ClientMetadata) string { return m.LogoURI })},
	{"policy_uri", link(func(m storage.ClientMetadata) string { return m.PolicyURI })},
	{"tos_uri", link(func(m storage.ClientMetadata) string { return m.TosURI })},
	{"jwks_uri", link(func(m storage.ClientMetadata) string { return m.JWKSURI })},
	{"initiate_login_uri", link(func(m storage.ClientMetadata) string { return m.InitiateLoginURI })},
	{"backchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.BackchannelLogoutURI })},
	{"frontchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.FrontchannelLogoutURI })},
	{"backchannel_logout_session_required", checkLogoutSession},
	{"jwks", checkJWKS},
	{"subject_type", checkSubjectType},
	{"id_token_signed_response_alg", checkIDTokenAlg},
	{"default_max_age", checkMaxAge},
	{"prompt_login", checkPromptLogin},
	{"refresh_grace", checkRefreshGrace},
	{"contacts", texts(func(m storage.ClientMetadata) []string { return m.Contacts })},
	{"default_acr_values", texts(func(m storage.ClientMetadata) []string { return m.DefaultACRValues })},
	{"software_id", text(func(m storage.ClientMetadata) string { return m.SoftwareID })},
	{"software_version", text(func(m storage.ClientMetadata) string { return m.SoftwareVersion })},
	{"allow_origins", checkOrigins},
	{"resources", resources(func(c storage.Client) []string { return c.Resources })},
	{"audiences", resources(func(c storage.Client) []string { return c.Audiences })},
}

// CheckClient applies all rules to a client by itself. It gives every problem at once
// (errors.Join), each beginning with the member that it is about.
func CheckClient(c storage.Client) error { return errors.Join(problemsOf(c)...) }

// CheckClientChange is CheckClient for a client that was before: a value that breaks a
// rule but was stored under an older rule may stay, until it is changed.
func CheckClientChange(before, after storage.Client) error {
	old := map[string]bool{}
	for _, problem := range problemsOf(before) {
		old[problem.Error()] = true
	}
	sameKeys := after.Metadata.JWKS == before.Metadata.JWKS
	return errors.Join(slices.DeleteFunc(problemsOf(after), func(problem error) bool {
		text := problem.Error()
		quoted := strings.Contains(text, `: "`) // it names the value, so that it is the same value's
		return old[text] && (quoted || sameKeys && strings.HasPrefix(text, "jwks: "))
	})...)
}

func problemsOf(c storage.Client) []error {
	var found []error
	for _, rule := range clientRules {
		rule.check(c, func(format string, args ...any) {
			found = append(found, fmt.Errorf("%s: %w", rule.member, fmt.Errorf(format, args...)))
		})
	}
	return found
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$`)

func checkClientID(c storage.Client, wrong report) {
	switch {
	case !clientID.MatchString(c.ID):
		wrong("must be 1 to 128 letters, digits, or . _ ~ -, and not begin with a dot")
	case strings.HasPrefix(c.ID, storage.UserPrefix):
		// A client's own token has the client id as its subject: it must not look like a person's.
		wrong("must not begin with " + storage.UserPrefix + ", as the subjects of users do")
	}
}

func checkClientName(c storage.Client, wrong report) {
	if strings.TrimSpace(c.Name) == "" {
		wrong("is missing: people read it on the consent page")
	}
	checkText(c.Name, wrong)
}

func checkClientType(c storage.Client, wrong report) {
	if !slices.Contains([]storage.ClientType{storage.Web, storage.SPA, storage.Native, storage.Service}, c.Type) {
		wrong("%q is not web, spa, native or service", c.Type)
	}
}

func checkAuthMethod(c storage.Client, wrong report) {
	method := c.Metadata.TokenEndpointAuthMethod
	if !slices.Contains([]string{"", storage.AuthNone, storage.AuthBasic, storage.AuthPost}, method) {
		wrong("%q is not none, client_secret_basic or client_secret_post; leave it empty to let a client send its secret in either way", method)
	}
	switch {
	case (c.Type == storage.SPA || c.Type == storage.Native) && !c.Public():
		wrong("a client of type %s can keep no secret: it must be none", c.Type)
	case c.Type == storage.Service && c.Public():
		wrong("a service must authenticate: none is not possible")
	}
}

func checkSecrets(c storage.Client, wrong report) {
	if c.Public() && (c.Secrets[0].Hash != "" || c.Secrets[1].Hash != "") {
		wrong("a client that does not authenticate must have none")
	}
}

func checkPKCEOptional(c storage.Client, wrong report) {
	if c.Public() && c.PKCEOptional {
		wrong("only a client that authenticates can be let off PKCE (RFC 9700, section 2.1.1)")
	}
}

func checkIntrospects(c storage.Client, wrong report) {
	if c.Public() && c.Introspects {
		wrong("only a client that authenticates can introspect tokens (RFC 7662, section 2.1)")
	}
}

func checkGrantTypes(c storage.Client, wrong report) {
	grants := c.Metadata.GrantTypes
	if len(grants) == 0 {
		wrong("is empty: the client could get no token")
	}
	known, ofClients := grantTypeNames()
	checkChoices(grants, known, wrong)
	signsIn := slices.Contains(grants, storage.GrantCode) || slices.Contains(grants, storage.GrantDevice)
	if slices.Contains(grants, storage.GrantRefresh) && !signsIn {
		wrong("refresh_token needs authorization_code or device_code beside it")
	}
	if c.Public() && c.Type != storage.Service {
		for _, own := range c.OwnGrantTypes() {
			wrong("%s is for clients that authenticate (RFC 6749, section 4.4)", own)
		}
	}
	if c.Type == storage.Service && signsIn {
		wrong("a service acts for itself: %s only", strings.Join(ofClients, " or "))
	}
}

// grantTypeNames names all grant types, and those whose token is the client's own.
func grantTypeNames() (all, ofClients []string) {
	for _, g := range storage.GrantTypes() {
		all = append(all, g.Name)
		if g.ClientsOwn {
			ofClients = append(ofClients, g.Name)
		}
	}
	return all, ofClients
}

func checkResponseTypes(c storage.Client, wrong report) {
	types := c.Metadata.ResponseTypes
	checkChoices(types, []string{"code"}, wrong)
	if slices.Contains(c.Metadata.GrantTypes, storage.GrantCode) != slices.Contains(types, "code") {
		wrong("code and the grant type authorization_code go together (RFC 7591, section 2.1)")
	}
}

func checkScope(c storage.Client, wrong report) {
	for _, scope := range strings.Fields(c.Metadata.Scope) {
		if strings.ContainsFunc(scope, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }) {
			wrong("%q has characters that a scope cannot have (RFC 6749, section 3.3)", scope)
		}
		if c.Type == storage.Service && (scope == "openid" || scope == "offline_access") {
			wrong("%s is about people: a service acts for itself", scope)
		}
	}
	if len(c.Metadata.Scope) > storage.MaxURI {
		wrong("has more than %d characters", storage.MaxURI)
	}
}

func checkRedirectURIs(c storage.Client, wrong report) {
	uris := c.Metadata.RedirectURIs
	needs := slices.Contains(c.Metadata.GrantTypes, storage.GrantCode)
	switch {
	case needs && len(uris) == 0:
		wrong("is empty: the authorization code must have somewhere to go")
	case !needs && len(uris) > 0:
		wrong("must be empty: this client never asks for an authorization code")
	}
	for _, uri := range uris {
		if err := checkRedirectURI(uri, c.Type); err != nil {
			wrong("%q %w", shortened(uri), err)
		} else if name := responseParameter(uri); name != "" {
			// RFC 6749, section 3.1.2: the client would see the parameter twice.
			wrong("%q has the query parameter %s, which the answer itself may carry", shortened(uri), name)
		}
	}
	checkCount(uris, wrong)
}

func checkPostLogoutRedirectURIs(c storage.Client, wrong report) {
	for _, uri := range c.Metadata.PostLogoutRedirectURIs {
		if err := checkRedirectURI(uri, c.Type); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
	checkCount(c.Metadata.PostLogoutRedirectURIs, wrong)
}

func checkLogoutSession(c storage.Client, wrong report) {
	if c.Metadata.BackchannelLogoutSession && c.Metadata.BackchannelLogoutURI == "" {
		wrong("needs a backchannel_logout_uri")
	}
}

// checkJWKS checks the client's own public keys.
func checkJWKS(c storage.Client, wrong report) {
	if c.Metadata.JWKS == "" {
		return
	}
	if c.Metadata.JWKSURI != "" {
		wrong("and jwks_uri exclude each other (RFC 7591, section 2)")
	}
	if _, err := foreign.ReadKeySet([]byte(c.Metadata.JWKS)); err != nil {
		wrong("%w", err)
	}
}

func checkSubjectType(c storage.Client, wrong report) {
	if t := c.Metadata.SubjectType; t != "" && t != "public" {
		wrong("%q is not supported: public", t)
	}
}

func checkIDTokenAlg(c storage.Client, wrong report) {
	alg := c.Metadata.IDTokenSignedResponseAlg
	if alg != "" && !slices.Contains(keys.SigningAlgorithms(), alg) {
		wrong("%q is not supported: %s", alg, strings.Join(idTokenAlgs(), ", "))
	}
}

// idTokenAlgs lists the algorithms that ID tokens can be signed with; the default of
// OIDC Registration, section 2, comes first.
func idTokenAlgs() []string {
	byDefault := storage.Client{}.IDTokenAlg()
	others := slices.DeleteFunc(keys.SigningAlgorithms(), func(alg string) bool { return alg == byDefault })
	return append([]string{byDefault}, others...)
}

func checkMaxAge(c storage.Client, wrong report) {
	if seconds := c.Metadata.DefaultMaxAge; seconds != nil && *seconds < 0 {
		wrong("must not be negative")
	}
}

func checkPromptLogin(c storage.Client, wrong report) {
	switch {
	case c.PromptLogin != "" && c.PromptLogin != storage.PromptLoginBestEffort:
		wrong("%q is neither strict nor best-effort", shortened(c.PromptLogin))
	case c.PromptLogin != "" && !slices.Contains(c.Metadata.GrantTypes, storage.GrantCode):
		wrong("best-effort is for clients that people sign in to: this one may not use the grant type authorization_code")
	}
}

func checkRefreshGrace(c storage.Client, wrong report) {
	if c.RefreshGrace != -1 && (c.RefreshGrace < 0 || c.RefreshGrace > maxGrace) {
		wrong("must be between 0s and %s", maxGrace)
	}
}

func checkOrigins(c storage.Client, wrong report) {
	for _, origin := range c.Origins {
		if err := checkOrigin(origin); err != nil {
			wrong("%q %w", shortened(origin), err)
		}
	}
}

// link is the rule of a member that holds one address of the web, or none.
func link(uri func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if uri := uri(c.Metadata); uri == "" {
			return
		} else if err := checkRedirectURI(uri, storage.Web); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
}

// text is the rule of a member that holds a short text, or none.
func text(value func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) { checkText(value(c.Metadata), wrong) }
}

// texts is the rule of a member that holds a list of short texts.
func texts(list func(storage.ClientMetadata) []string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		checkCount(list(c.Metadata), wrong)
		for _, value := range list(c.Metadata) {
			checkText(value, wrong)
		}
	}
}

// resources is the rule of a member that holds identifiers of APIs.
func resources(list func(storage.Client) []string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		checkCount(list(c), wrong)
		for _, uri := range list(c) {
			if err := checkResourceURI(uri); err != nil {
				wrong("%q %w", shortened(uri), err)
			}
		}
	}
}

func checkChoices(values, allowed []string, wrong report) {
	for i, value := range values {
		if !slices.Contains(allowed, value) {
			wrong("%q is not supported: %s", value, strings.Join(allowed, ", "))
		}
		if slices.Contains(values[:i], value) {
			wrong("%q stands twice", value)
		}
	}
}

func checkText(s string, wrong report) {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		wrong("has control characters or is not UTF-8")
	case utf8.RuneCountInString(s) > maxText:
		wrong("has more than %d characters", maxText)
	}
}

func checkCount(list []string, wrong report) {
	if len(list) > maxEntries {
		wrong("has more than %d entries", maxEntries)
	}
}

// shortened keeps an error readable when the value is not.
func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
