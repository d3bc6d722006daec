package directory

import (
	"fmt"
	"net/url"
	"reflect"
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

// clientRule is a rule of one field of a client. check reports every problem of the field.
// The reported texts do not contain the name of the field.
type clientRule struct {
	field string
	check func(c storage.Client, wrong report)
	// needs are the fields that check reads. If one of them breaks a rule, check does not run,
	// because its problem would only follow from the first one.
	needs []string
}

// report records one problem, as a format and its values.
type report func(format string, args ...any)

// clientRules are ordered so that the rules of a field come after the rules of the fields
// that they need. Rules of unsupported fields do not run.
var clientRules = []clientRule{
	{"client_id", checkClientID, nil},
	{"client_name", checkClientName, nil},
	{"type", checkClientType, nil},
	{"token_endpoint_auth_method", checkAuthMethod, nil},
	{"token_endpoint_auth_method", checkAuthMethodOfType, []string{"type", "token_endpoint_auth_method"}},
	{"token_endpoint_auth_signing_alg", checkAuthAlg, nil},
	{"client_secret", checkSecrets, []string{"token_endpoint_auth_method"}},
	{"pkce_optional", checkPKCEOptional, []string{"token_endpoint_auth_method"}},
	{"grant_types", checkGrantTypes, nil},
	{"grant_types", checkGrantTypesOfType, []string{"type", "token_endpoint_auth_method", "grant_types"}},
	{"response_types", checkResponseTypes, nil},
	{"response_types", checkResponseTypesOfGrants, []string{"type", "grant_types", "response_types"}},
	{"scope", checkScope, nil},
	{"scope", checkAdminScopes, []string{"type", "scope"}},
	{"admin_api", checkAdminAPI, []string{"type"}},
	{"redirect_uris", checkRedirectURIs, []string{"type"}},
	{"redirect_uris", checkRedirectURIsOfGrants, []string{"type", "grant_types"}},
	{"post_logout_redirect_uris", checkPostLogoutRedirectURIs, []string{"type"}},
	{"client_uri", link(func(m storage.ClientMetadata) string { return m.ClientURI }), nil},
	{"logo_uri", link(func(m storage.ClientMetadata) string { return m.LogoURI }), nil},
	{"policy_uri", shownLink(func(m storage.ClientMetadata) string { return m.PolicyURI }), nil},
	{"tos_uri", shownLink(func(m storage.ClientMetadata) string { return m.TosURI }), nil},
	{"jwks_uri", link(func(m storage.ClientMetadata) string { return m.JWKSURI }), nil},
	{"jwks", checkJWKS, []string{"jwks_uri"}},
	{"request_object_signing_alg", signingAlg(func(m storage.ClientMetadata) string { return m.RequestObjectAlg }), nil},
	{"jwks", checkKeyAlgorithms, []string{"jwks", "token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "request_object_signing_alg"}},
	{"require_signed_request_object", checkSignedRequest, []string{"grant_types", "jwks", "jwks_uri"}},
	{"initiate_login_uri", shownLink(func(m storage.ClientMetadata) string { return m.InitiateLoginURI }), nil},
	{"backchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.BackchannelLogoutURI }), nil},
	{"backchannel_logout_session_required", checkLogoutSession, []string{"backchannel_logout_uri"}},
	{"frontchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.FrontchannelLogoutURI }), nil},
	{"frontchannel_logout_uri", checkFrontchannelLogout, []string{"redirect_uris", "frontchannel_logout_uri"}},
	{"frontchannel_logout_session_required", checkFrontchannelSession, []string{"frontchannel_logout_uri"}},
	{"subject_type", checkSubjectType, nil},
	{"sector_identifier_uri", shownLink(func(m storage.ClientMetadata) string { return m.SectorURI }), nil},
	{"sector_identifier_uri", checkSector, []string{"redirect_uris", "grant_types", "subject_type", "sector_identifier_uri"}},
	{"id_token_signed_response_alg", signingAlg(func(m storage.ClientMetadata) string { return m.IDTokenSignedResponseAlg }), nil},
	{"userinfo_signed_response_alg", signingAlg(func(m storage.ClientMetadata) string { return m.UserinfoSignedAlg }), nil},
	{"default_max_age", checkMaxAge, nil},
	{"prompt_login", checkPromptLogin, nil},
	{"require_acr", checkRequireACR, nil},
	{"refresh_grace", checkRefreshGrace, nil},
	{"contacts", texts(func(m storage.ClientMetadata) []string { return m.Contacts }), nil},
	{"default_acr_values", texts(func(m storage.ClientMetadata) []string { return m.DefaultACRValues }), nil},
	{"software_id", text(func(m storage.ClientMetadata) string { return m.SoftwareID }), nil},
	{"software_version", text(func(m storage.ClientMetadata) string { return m.SoftwareVersion }), nil},
	{"allow_origins", checkOrigins, nil},
	{"resources", resources(func(c storage.Client) []string { return c.Resources }), nil},
	{"audiences", resources(func(c storage.Client) []string { return c.Audiences }), nil},
	{federationsField, checkFederations, nil},
}

// CheckClient applies all rules to a new client. It returns all problems at once in a
// *ClientError, except problems that only follow from another problem.
func CheckClient(c storage.Client) error {
	return problemsOf(c, func(*ClientFieldError) bool { return false })
}

// CheckClientChange is CheckClient for the change of a stored client. An unchanged value that
// breaks a rule may stay, because an older release may have accepted it.
func CheckClientChange(before, after storage.Client) error {
	old := map[string]bool{}
	problemsOf(before, func(problem *ClientFieldError) bool {
		old[problem.Error()] = true
		return true
	})
	return problemsOf(after, func(problem *ClientFieldError) bool {
		namesValue := strings.Contains(problem.Error(), `: "`) // the problem names the value, so it is the same value
		return old[problem.Error()] && (namesValue || unchanged(problem.Field, before, after))
	})
}

// unchanged reports whether a field has the same value in both clients.
func unchanged(name string, before, after storage.Client) bool {
	if name == federationsField {
		return reflect.DeepEqual(before.Federations, after.Federations)
	}
	for _, f := range clientFields {
		if f.Name == name {
			return reflect.DeepEqual(f.At(&before), f.At(&after))
		}
	}
	return true // the id and the secrets: ReviseClient does not change them
}

// problemsOf returns the problems of a client as *ClientError. It ignores the problems for
// which mayStay returns true: they are not returned and do not stop other rules.
func problemsOf(c storage.Client, mayStay func(*ClientFieldError) bool) error {
	var found []*ClientFieldError
	wrong := map[string]bool{}
	note := func(field string, cause error) {
		if problem := newFieldError(field, cause); !mayStay(problem) {
			found, wrong[field] = append(found, problem), true
		}
	}
	for _, rule := range slices.Concat(clientRules, effectRules()) {
		if slices.ContainsFunc(rule.needs, func(field string) bool { return wrong[field] }) {
			continue
		}
		rule.check(c, func(format string, args ...any) { note(rule.field, fmt.Errorf(format, args...)) })
	}
	if len(found) == 0 {
		return nil
	}
	return &ClientError{found}
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$`)

func checkClientID(c storage.Client, wrong report) {
	switch {
	case !clientID.MatchString(c.ID):
		wrong("must be 1 to 128 letters, digits, or . _ ~ -, and not begin with a dot")
	case strings.HasPrefix(c.ID, storage.UserPrefix):
		// The subject of a client's own token is its client id. It must not look like a user's.
		wrong("must not begin with " + storage.UserPrefix + ": the subjects of users begin so")
	case c.ID == storage.ActorCLI || c.ID == storage.ActorSystem:
		wrong("must not be " + c.ID + ": audit events name the commands and the server itself so")
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
		wrong("%q is not web, spa, native or service", shortened(string(c.Type)))
	}
}

func checkAuthMethod(c storage.Client, wrong report) {
	method := c.Metadata.TokenEndpointAuthMethod
	switch {
	case method == "client_secret_jwt":
		wrong("%q is not supported, because only hashes of secrets are stored: use private_key_jwt", method)
	case !slices.Contains([]string{"", storage.AuthNone, storage.AuthBasic, storage.AuthPost, storage.AuthPrivateKey}, method):
		wrong("%q is not none, client_secret_basic, client_secret_post or private_key_jwt; leave it empty to let a client send its secret in either way", shortened(method))
	}
}

// checkAuthAlg checks the algorithm of client assertions.
func checkAuthAlg(c storage.Client, wrong report) {
	if alg := c.Metadata.TokenEndpointAuthAlg; alg != "" && !slices.Contains(keys.SigningAlgorithms(), alg) {
		wrong("%q is not supported: use %s", shortened(alg), strings.Join(keys.SigningAlgorithms(), ", "))
	}
}

func checkAuthMethodOfType(c storage.Client, wrong report) {
	switch {
	case (c.Type == storage.SPA || c.Type == storage.Native) && !c.Public():
		wrong("must be none: a client of type %s cannot keep a secret", c.Type)
	case c.Type == storage.Service && c.Public():
		wrong("must not be none: a service must authenticate")
	}
}

func checkSecrets(c storage.Client, wrong report) {
	if c.Public() && (c.Secrets[0].Hash != "" || c.Secrets[1].Hash != "") {
		wrong("must be empty: a client that does not authenticate has no secret")
	}
}

func checkPKCEOptional(c storage.Client, wrong report) {
	if c.Public() && c.PKCEOptional {
		wrong("only a client that authenticates can go without PKCE (RFC 9700, section 2.1.1)")
	}
}

func checkGrantTypes(c storage.Client, wrong report) {
	checkChoices(c.Metadata.GrantTypes, storage.GrantTypeNames(), wrong)
}

func checkGrantTypesOfType(c storage.Client, wrong report) {
	grants := c.Metadata.GrantTypes
	if len(grants) == 0 {
		wrong("is empty, so the client cannot get tokens: add a grant type")
	}
	renews := slices.Contains(grants, storage.GrantCode) || slices.Contains(grants, storage.GrantDevice)
	signsIn := renews || slices.Contains(grants, storage.GrantImplicit)
	if slices.Contains(grants, storage.GrantRefresh) && !renews {
		wrong("has refresh_token without authorization_code: add authorization_code or the device grant, or remove refresh_token")
	}
	if c.Public() && c.Type != storage.Service {
		for _, own := range c.OwnGrantTypes() {
			wrong("%s is for clients that authenticate (RFC 6749, section 4.4)", own)
		}
	}
	if c.Type == storage.SPA && slices.Contains(grants, storage.GrantDevice) {
		wrong("%s is for devices without a browser of their own: use authorization_code", storage.GrantDevice)
	}
	if c.Type == storage.Service && signsIn {
		wrong("must be %s only: a service acts for itself", strings.Join(ownGrantTypeNames(), " or "))
	}
}

// ownGrantTypeNames returns the names of the grant types that issue tokens for the client itself.
func ownGrantTypeNames() []string {
	var names []string
	for _, g := range storage.GrantTypes() {
		if g.ClientsOwn {
			names = append(names, g.Name)
		}
	}
	return names
}

func checkResponseTypes(c storage.Client, wrong report) {
	names := make([]string, len(c.Metadata.ResponseTypes))
	for i, name := range c.Metadata.ResponseTypes {
		names[i] = name
		if t, known := storage.FindResponseType(name); known {
			names[i] = t.Name // its words may be in any order
		}
	}
	checkChoices(names, storage.ResponseTypeNames(), wrong)
}

// checkResponseTypesOfGrants checks that each response type has its grant types, and each grant
// type of sign-ins a response type (RFC 7591, section 2.1).
func checkResponseTypesOfGrants(c storage.Client, wrong report) {
	var needed []string
	for _, name := range c.Metadata.ResponseTypes {
		t, _ := storage.FindResponseType(name)
		for _, grant := range t.GrantTypes() {
			if !slices.Contains(c.Metadata.GrantTypes, grant) {
				wrong("%q needs the grant type %s: add it, or remove the response type", name, grant)
			}
		}
		needed = append(needed, t.GrantTypes()...)
	}
	for _, grant := range []string{storage.GrantCode, storage.GrantImplicit} {
		if slices.Contains(c.Metadata.GrantTypes, grant) && !slices.Contains(needed, grant) {
			wrong("has none for the grant type %s: add one, such as %q, or remove the grant type", grant, exampleResponseTypes[grant])
		}
	}
}

var exampleResponseTypes = map[string]string{storage.GrantCode: storage.ResponseTypeCode, storage.GrantImplicit: "id_token"}

func checkScope(c storage.Client, wrong report) {
	for _, scope := range strings.Fields(c.Metadata.Scope) {
		if strings.ContainsFunc(scope, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }) {
			wrong("%q has characters that a scope cannot have (RFC 6749, section 3.3)", scope)
		}
	}
	if len(c.Metadata.Scope) > storage.MaxURI {
		wrong("has more than %d characters", storage.MaxURI)
	}
}

// checkAdminScopes reserves the scopes of the administration API for clients with admin_api.
func checkAdminScopes(c storage.Client, wrong report) {
	for _, scope := range foreign.Distinct(strings.Fields(c.Metadata.Scope)) {
		switch known := storage.AdminScopes(); {
		case !storage.IsAdminScope(scope):
		case !c.AdminAPI:
			wrong("%q is a scope of the administration API: only a service with admin_api may have it", shortened(scope))
		case !slices.Contains(known, scope):
			wrong("%q is not a scope of the administration API: use %s", shortened(scope), strings.Join(known, ", "))
		}
	}
}

func checkAdminAPI(c storage.Client, wrong report) {
	if c.AdminAPI && c.Type != storage.Service {
		wrong("is for clients of type service, which act for themselves: make a client of that type")
	}
}

func checkLogoutSession(c storage.Client, wrong report) {
	if c.Metadata.BackchannelLogoutSession && c.Metadata.BackchannelLogoutURI == "" {
		wrong("needs a backchannel_logout_uri")
	}
}

// checkFrontchannelLogout checks that the URI has the origin of a redirect URI (OIDC Front-Channel
// Logout, section 2), so that pages frame no other site, and that its query has room for the
// parameters of the logout.
func checkFrontchannelLogout(c storage.Client, wrong report) {
	uri := c.Metadata.FrontchannelLogoutURI
	if uri == "" || !signsPeopleIn(c) {
		return
	}
	origin := storage.OriginOf(uri)
	if !slices.ContainsFunc(c.Metadata.RedirectURIs, func(redirect string) bool { return storage.OriginOf(redirect) == origin }) {
		wrong("%q must have the scheme, host and port of one of the redirect_uris (OIDC Front-Channel Logout, section 2)", shortened(uri))
	}
	_, query, _ := strings.Cut(uri, "?")
	parsed, err := url.ParseQuery(query)
	switch {
	case err != nil:
		wrong("%q has an invalid query: check its escapes", shortened(uri))
	case parsed.Has("iss") || parsed.Has("sid"):
		wrong("%q has the query parameter iss or sid, which Signet adds: use another name", shortened(uri))
	}
}

func checkFrontchannelSession(c storage.Client, wrong report) {
	if c.Metadata.FrontchannelSession && c.Metadata.FrontchannelLogoutURI == "" {
		wrong("needs a frontchannel_logout_uri")
	}
}

// checkJWKS checks the client's own public keys.
func checkJWKS(c storage.Client, wrong report) {
	if c.Metadata.JWKS == "" {
		return
	}
	if c.Metadata.JWKSURI != "" {
		wrong("must be empty if jwks_uri is set (RFC 7591, section 2)")
	}
	if _, err := foreign.ReadKeySet([]byte(c.Metadata.JWKS)); err != nil {
		wrong("%w", err)
	}
}

// checkKeyAlgorithms checks that one of the client's own keys can verify its assertions, and one its
// request objects.
func checkKeyAlgorithms(c storage.Client, wrong report) {
	if c.Metadata.JWKS == "" {
		return
	}
	set, err := foreign.ReadKeySet([]byte(c.Metadata.JWKS))
	if err != nil {
		return // checkJWKS reports it
	}
	checkKeyFor := func(only string) {
		usable := keys.SigningAlgorithms()
		if only != "" {
			usable = []string{only}
		}
		if !hasKeyFor(set, usable) {
			wrong("has no key for signatures with %s: add one", strings.Join(usable, ", "))
		}
	}
	if c.AllowsAuthMethod(storage.AuthPrivateKey) {
		checkKeyFor(c.Metadata.TokenEndpointAuthAlg)
	}
	if only := c.Metadata.RequestObjectAlg; only != "" && only != c.Metadata.TokenEndpointAuthAlg {
		checkKeyFor(only)
	}
}

// hasKeyFor reports whether one of the keys can verify signatures by one of the algorithms.
func hasKeyFor(set []foreign.Key, algorithms []string) bool {
	return slices.ContainsFunc(set, func(key foreign.Key) bool { return slices.ContainsFunc(algorithms, key.Fits) })
}

// checkSignedRequest refuses a client that could never send a request.
func checkSignedRequest(c storage.Client, wrong report) {
	if c.Metadata.RequireSignedRequest && usesAuthorize(c) && !c.HasKeys() {
		wrong("needs the keys of the client: set jwks or jwks_uri")
	}
}

// signingAlg returns the rule of a field with an algorithm that the server signs with.
func signingAlg(field func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if alg := field(c.Metadata); alg != "" && !slices.Contains(keys.SigningAlgorithms(), alg) {
			wrong("%q is not supported: use %s", shortened(alg), strings.Join(serverAlgs(), ", "))
		}
	}
}

// serverAlgs lists the signing algorithms of the server. The default of ID tokens (OIDC
// Registration, section 2) comes first.
func serverAlgs() []string {
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
	if c.PromptLogin != "" && c.PromptLogin != storage.PromptLoginBestEffort {
		wrong("%q is neither %s nor %s", shortened(c.PromptLogin), promptLogin.Default, storage.PromptLoginBestEffort)
	}
}

func checkRequireACR(c storage.Client, wrong report) {
	if c.RequireACR != "" && !slices.Contains(storage.ACRValues(), c.RequireACR) {
		wrong("%q is not the acr of any sign-in: use one of %s", shortened(c.RequireACR), strings.Join(storage.ACRValues(), ", "))
	}
}

func checkRefreshGrace(c storage.Client, wrong report) {
	if c.RefreshGrace != -1 && (c.RefreshGrace < 0 || c.RefreshGrace > maxGrace) {
		wrong("must be between 0s and %s", maxGrace)
	}
}

// text returns the rule of a field with a short text, which may be empty.
func text(value func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) { checkText(value(c.Metadata), wrong) }
}

// texts returns the rule of a field with a list of short texts.
func texts(list func(storage.ClientMetadata) []string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		checkCount(list(c.Metadata), wrong)
		for _, value := range list(c.Metadata) {
			checkText(value, wrong)
		}
	}
}

// checkChoices reports values that are not allowed and values that are listed twice.
func checkChoices(values, allowed []string, wrong report) {
	for i, value := range values {
		if !slices.Contains(allowed, value) {
			wrong("%q is not supported: use %s", shortened(value), strings.Join(allowed, ", "))
		}
		if slices.Contains(values[:i], value) {
			wrong("%q is listed twice: remove one", shortened(value))
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

// shortened returns at most 100 bytes of a value, so that errors stay readable.
func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
