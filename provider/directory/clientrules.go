package directory

import (
	"fmt"
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

// clientRule is a rule of one field of a client. Its check reports every problem of the
// field, without the field's name.
type clientRule struct {
	field string
	check func(c storage.Client, wrong report)
	// needs are other fields that the check reads. It is not made if one of them breaks a
	// rule itself: its finding would only follow from that.
	needs []string
}

// report takes one problem, as a format with its values.
type report func(format string, args ...any)

// clientRules are in an order in which a field stands behind those that its rules need.
// Those of a field that is not supported yet wait for it.
var clientRules = []clientRule{
	{"client_id", checkClientID, nil},
	{"client_name", checkClientName, nil},
	{"type", checkClientType, nil},
	{"token_endpoint_auth_method", checkAuthMethod, nil},
	{"token_endpoint_auth_method", checkAuthMethodOfType, []string{"type", "token_endpoint_auth_method"}},
	{"client_secret", checkSecrets, []string{"token_endpoint_auth_method"}},
	{"pkce_optional", checkPKCEOptional, []string{"token_endpoint_auth_method"}},
	{"grant_types", checkGrantTypes, nil},
	{"grant_types", checkGrantTypesOfType, []string{"type", "token_endpoint_auth_method", "grant_types"}},
	{"response_types", checkResponseTypes, nil},
	{"response_types", checkResponseTypesOfGrants, []string{"type", "grant_types", "response_types"}},
	{"scope", checkScope, nil},
	{"redirect_uris", checkRedirectURIs, []string{"type"}},
	{"redirect_uris", checkRedirectURIsOfGrants, []string{"type", "grant_types"}},
	{"post_logout_redirect_uris", checkPostLogoutRedirectURIs, []string{"type"}},
	{"client_uri", link(func(m storage.ClientMetadata) string { return m.ClientURI }), nil},
	{"logo_uri", link(func(m storage.ClientMetadata) string { return m.LogoURI }), nil},
	{"policy_uri", shownLink(func(m storage.ClientMetadata) string { return m.PolicyURI }), nil},
	{"tos_uri", shownLink(func(m storage.ClientMetadata) string { return m.TosURI }), nil},
	{"jwks_uri", link(func(m storage.ClientMetadata) string { return m.JWKSURI }), nil},
	{"jwks", checkJWKS, []string{"jwks_uri"}},
	{"initiate_login_uri", link(func(m storage.ClientMetadata) string { return m.InitiateLoginURI }), nil},
	{"backchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.BackchannelLogoutURI }), nil},
	{"frontchannel_logout_uri", link(func(m storage.ClientMetadata) string { return m.FrontchannelLogoutURI }), nil},
	{"backchannel_logout_session_required", checkLogoutSession, []string{"backchannel_logout_uri"}},
	{"subject_type", checkSubjectType, nil},
	{"id_token_signed_response_alg", checkIDTokenAlg, nil},
	{"default_max_age", checkMaxAge, nil},
	{"prompt_login", checkPromptLogin, nil},
	{"refresh_grace", checkRefreshGrace, nil},
	{"contacts", texts(func(m storage.ClientMetadata) []string { return m.Contacts }), nil},
	{"default_acr_values", texts(func(m storage.ClientMetadata) []string { return m.DefaultACRValues }), nil},
	{"software_id", text(func(m storage.ClientMetadata) string { return m.SoftwareID }), nil},
	{"software_version", text(func(m storage.ClientMetadata) string { return m.SoftwareVersion }), nil},
	{"allow_origins", checkOrigins, nil},
	{"resources", resources(func(c storage.Client) []string { return c.Resources }), nil},
	{"audiences", resources(func(c storage.Client) []string { return c.Audiences }), nil},
}

// CheckClient applies all rules to a client by itself. It gives every problem at once,
// *ClientError, but no problem that only follows from another.
func CheckClient(c storage.Client) error {
	return problemsOf(c, func(*ClientFieldError) bool { return false })
}

// CheckClientChange is CheckClient for a client that was before: a value that breaks a
// rule but was stored under an older rule may stay, until it is changed.
func CheckClientChange(before, after storage.Client) error {
	old := map[string]bool{}
	problemsOf(before, func(problem *ClientFieldError) bool {
		old[problem.Error()] = true
		return true
	})
	return problemsOf(after, func(problem *ClientFieldError) bool {
		namesValue := strings.Contains(problem.Error(), `: "`) // so that it is the same value's
		return old[problem.Error()] && (namesValue || unchanged(problem.Field, before, after))
	})
}

// unchanged reports whether a field has the value that it had.
func unchanged(name string, before, after storage.Client) bool {
	for _, f := range clientFields {
		if f.Name == name {
			return reflect.DeepEqual(f.At(&before), f.At(&after))
		}
	}
	return true // the id and the secrets, which nobody can revise
}

// problemsOf gives the problems of a client, but for those that may stay: neither are they
// told, nor do they keep a rule from being applied.
func problemsOf(c storage.Client, mayStay func(*ClientFieldError) bool) error {
	var found []*ClientFieldError
	wrong, ignored := map[string]bool{}, map[string]bool{}
	note := func(field string, cause error) {
		if problem := newFieldError(field, cause); !mayStay(problem) {
			found, wrong[field] = append(found, problem), true
		}
	}
	for _, f := range clientFields {
		if ignored[f.Name] = !f.Supported(); ignored[f.Name] && !f.Empty(c) {
			note(f.Name, &notYet{f.notYet})
		}
	}
	for _, rule := range slices.Concat(clientRules, effectRules()) {
		if ignored[rule.field] || slices.ContainsFunc(rule.needs, func(field string) bool { return wrong[field] }) {
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
		wrong("%q is not web, spa, native or service", shortened(string(c.Type)))
	}
}

func checkAuthMethod(c storage.Client, wrong report) {
	method := c.Metadata.TokenEndpointAuthMethod
	if !slices.Contains([]string{"", storage.AuthNone, storage.AuthBasic, storage.AuthPost}, method) {
		wrong("%q is not none, client_secret_basic or client_secret_post; leave it empty to let a client send its secret in either way", shortened(method))
	}
}

func checkAuthMethodOfType(c storage.Client, wrong report) {
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

func checkGrantTypes(c storage.Client, wrong report) {
	served, _ := grantTypeNames()
	for _, name := range c.Metadata.GrantTypes {
		if slices.Contains(storage.GrantTypeNames(), name) && !slices.Contains(served, name) {
			wrong("%q %w", name, &notYet{"the token endpoint does not serve it"})
		}
	}
	checkChoices(c.Metadata.GrantTypes, served, func(value string) bool { return slices.Contains(storage.GrantTypeNames(), value) }, wrong)
}

func checkGrantTypesOfType(c storage.Client, wrong report) {
	grants := c.Metadata.GrantTypes
	if len(grants) == 0 {
		wrong("is empty: the client could get no token")
	}
	_, ofClients := grantTypeNames()
	signsIn := slices.Contains(grants, storage.GrantCode) || slices.Contains(grants, storage.GrantDevice)
	if slices.Contains(grants, storage.GrantRefresh) && !signsIn {
		wrong("refresh_token needs authorization_code beside it")
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

// grantTypeNames names the grant types that are served, and of those the ones whose token
// is the client's own.
func grantTypeNames() (served, ofClients []string) {
	for _, g := range storage.GrantTypes() {
		if !g.Served {
			continue
		}
		served = append(served, g.Name)
		if g.ClientsOwn {
			ofClients = append(ofClients, g.Name)
		}
	}
	return served, ofClients
}

func checkResponseTypes(c storage.Client, wrong report) {
	checkChoices(c.Metadata.ResponseTypes, []string{"code"}, nil, wrong)
}

func checkResponseTypesOfGrants(c storage.Client, wrong report) {
	if slices.Contains(c.Metadata.GrantTypes, storage.GrantCode) != slices.Contains(c.Metadata.ResponseTypes, "code") {
		wrong("code and the grant type authorization_code go together (RFC 7591, section 2.1)")
	}
}

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
	switch t := c.Metadata.SubjectType; t {
	case "", "public":
	case "pairwise":
		wrong("%q %w", t, &notYet{"every client sees the same subject"})
	default:
		wrong("%q is not supported: public", shortened(t))
	}
}

func checkIDTokenAlg(c storage.Client, wrong report) {
	alg := c.Metadata.IDTokenSignedResponseAlg
	if alg != "" && !slices.Contains(keys.SigningAlgorithms(), alg) {
		wrong("%q is not supported: %s", shortened(alg), strings.Join(idTokenAlgs(), ", "))
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
	if c.PromptLogin != "" && c.PromptLogin != storage.PromptLoginBestEffort {
		wrong("%q is neither %s nor %s", shortened(c.PromptLogin), promptLogin.Default, storage.PromptLoginBestEffort)
	}
}

func checkRefreshGrace(c storage.Client, wrong report) {
	if c.RefreshGrace != -1 && (c.RefreshGrace < 0 || c.RefreshGrace > maxGrace) {
		wrong("must be between 0s and %s", maxGrace)
	}
}

// text is the rule of a field that holds a short text, or none.
func text(value func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) { checkText(value(c.Metadata), wrong) }
}

// texts is the rule of a field that holds a list of short texts.
func texts(list func(storage.ClientMetadata) []string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		checkCount(list(c.Metadata), wrong)
		for _, value := range list(c.Metadata) {
			checkText(value, wrong)
		}
	}
}

// checkChoices wants values that are allowed, each once. A value that judged reports on is
// left to the caller; nil for none.
func checkChoices(values, allowed []string, judged func(string) bool, wrong report) {
	for i, value := range values {
		if !slices.Contains(allowed, value) && (judged == nil || !judged(value)) {
			wrong("%q is not supported: %s", shortened(value), strings.Join(allowed, ", "))
		}
		if slices.Contains(values[:i], value) {
			wrong("%q stands twice", shortened(value))
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
