package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/storage"
)

// promptValues are the values of OIDC Core, section 3.1.2.1, and create if people can sign up.
// Any other value is refused with invalid_request. If it were ignored, a step that the client
// requires would be left out.
func (h *Handler) promptValues() []string {
	values := []string{"none", "login", "consent", "select_account"}
	if h.SignUp {
		values = append(values, flow.PromptCreate)
	}
	return values
}

// validate fills q from the parameters. It returns the first refusal, or nil. The caller
// has proven the client and the redirect URI. Unknown parameters are ignored.
func (h *Handler) validate(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	q.Nonce = params.Get("nonce")
	for _, check := range []authorizationCheck{
		readResponseMode, readResponseType, refuseRequestObjects, readScopes, checkFrontChannel, h.readPrompt, readMaxAge, readChallenge, readResources, readClaimsRequest, readACRValues, h.readHint,
	} {
		if refusal := check(q, client, params); refusal != nil {
			return refusal
		}
	}
	q.Claims = request.Rights{Claims: q.Claims}.NarrowedTo(client).Claims // the checks above have narrowed the other fields
	q.LoginHint = params.Get("login_hint")
	return nil
}

// authorizationCheck reads some parameters of an authorization request. It returns a refusal, or
// nil.
type authorizationCheck = func(*request.Request, storage.Client, url.Values) *flow.Refusal

// refuseRequestObjects refuses parameters that are not supported (OIDC Core, section
// 3.1.2.6). If they were ignored, a client would believe that its signed parameters were
// used. Where request objects are supported, the caller has opened them before.
func refuseRequestObjects(_ *request.Request, _ storage.Client, params url.Values) *flow.Refusal {
	switch {
	case params.Has("request"):
		return flow.Refuse("request_object", "request_not_supported", "request objects are not supported at this endpoint: send the parameters in the request itself")
	case params.Has("request_uri"):
		return flow.Refuse("request_uri", "request_uri_not_supported", "request_uri is not supported: send the parameters in the request itself")
	case params.Has("authorization_details"):
		// RFC 9396, section 5: this provider knows no type of authorization details.
		return flow.Refuse("authorization_details", "invalid_authorization_details", "authorization_details is not supported: use scope and resource")
	case params.Has("registration"):
		return flow.Refuse("registration", "registration_not_supported", "the registration parameter is not supported: register the client first")
	}
	return nil
}

// readScopes stores the known scopes that the client may have, in the order of the request
// (OIDC Core, section 3.1.2.1: unknown scopes are ignored).
func readScopes(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	for _, scope := range strings.Split(params.Get("scope"), " ") {
		if !isScopeToken(scope) {
			return flow.Refuse("scope_malformed", "invalid_scope", "scope contains a character that RFC 6749, section 3.3 does not allow")
		}
		if scope != "" && request.MayAsk(client, scope) && !slices.Contains(q.Scopes, scope) {
			q.Scopes = append(q.Scopes, scope)
		}
	}
	if len(q.Scopes) == 0 {
		return scopeRefusal
	}
	return nil
}

var (
	scopeRefusal    = flow.Refuse("scope_not_allowed", "invalid_scope", "the request has no scope that this client is registered for: send at least openid")
	resourceRefusal = flow.Refuse("resource_not_allowed", "invalid_target", "this client is not registered for this resource")
)

// checkRemainingRights refuses a request that was valid when it arrived, if the client has
// lost rights since then. The client may have lost the response type, all scopes or all
// resources of the request, or the right to do without PKCE. The caller has narrowed q to
// the client.
func checkRemainingRights(q request.Request, client storage.Client) *flow.Refusal {
	if refusal := checkResponseType(q.Type(), client); refusal != nil {
		return refusal
	}
	switch {
	case q.Lost.AllScopes:
		return scopeRefusal
	case q.Lost.AllResources:
		return resourceRefusal
	case q.Type().IDToken && !q.HasScope(oidc.ScopeOpenID):
		return scopeRefusal
	case q.Type().Code && !codeIsBound(client, q.Challenge, q.Nonce, q.Scopes):
		return flow.Refuse("code_not_bound", "invalid_request", "the code is no longer bound to this sign-in: "+bindingAdvice(client))
	}
	return nil
}

// isScopeToken reports whether s contains only the characters of RFC 6749, section 3.3.
func isScopeToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' })
}

// readPrompt reads the prompt values. create is refused like an unknown value if people cannot
// sign up (Initiating User Registration via OpenID Connect 1.0, section 4.1).
func (h *Handler) readPrompt(q *request.Request, _ storage.Client, params url.Values) *flow.Refusal {
	q.Prompt = foreign.Distinct(strings.Fields(params.Get("prompt")))
	known := h.promptValues()
	for _, value := range q.Prompt {
		if !slices.Contains(known, value) {
			last := len(known) - 1
			return flow.Refuse("prompt_unknown", "invalid_request", "prompt must be "+strings.Join(known[:last], ", ")+" or "+known[last])
		}
	}
	if len(q.Prompt) > 1 && q.Prompts("none") {
		return flow.Refuse("prompt_contradicts", "invalid_request", "prompt=none cannot be combined with another value")
	}
	return nil
}

func readMaxAge(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	q.MaxAge = client.Metadata.DefaultMaxAge
	if !params.Has("max_age") {
		return nil
	}
	seconds, err := strconv.ParseUint(params.Get("max_age"), 10, 31)
	if err != nil {
		return flow.Refuse("max_age_malformed", "invalid_request", "max_age must be a whole number of seconds below 2147483648")
	}
	age := int64(seconds)
	q.MaxAge = &age
	return nil
}

// readChallenge reads the PKCE challenge (RFC 7636, section 4.3). Only S256 is accepted. A
// challenge that was sent is enforced even if the client does not need one.
func readChallenge(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	method := params.Get("code_challenge_method")
	q.Challenge = params.Get("code_challenge")
	if q.Challenge == "" {
		if method == "" && (!q.Type().Code || codeIsBound(client, q.Challenge, q.Nonce, q.Scopes)) {
			return nil
		}
		return flow.Refuse("code_challenge_missing", "invalid_request", "code_challenge is missing: "+bindingAdvice(client))
	}
	if method != "S256" {
		return flow.Refuse("code_challenge_method", "invalid_request", "code_challenge_method must be S256")
	}
	// The decoder skips line breaks, so the length is checked before and after it.
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(q.Challenge); err != nil || len(sum) != 32 || len(q.Challenge) != 43 {
		return flow.Refuse("code_challenge_malformed", "invalid_request", "code_challenge must be the base64url encoding of a SHA-256 hash, without padding")
	}
	return nil
}

// codeIsBound reports whether a code of this request is useless in another sign-in (RFC
// 9700, section 2.1.1). A challenge binds the code. The nonce of the ID token binds it too,
// if the client may rely on the nonce and the request has the scope openid; without an ID
// token the client could not compare the nonce. Codes of confidential clients with
// --pkce-optional count as bound.
func codeIsBound(client storage.Client, challenge, nonce string, scopes []string) bool {
	return challenge != "" || client.PKCEOptional && !client.Public() ||
		client.NonceReplacesPKCE() && nonce != "" && slices.Contains(scopes, oidc.ScopeOpenID)
}

// bindingAdvice says how a client can bind its codes.
func bindingAdvice(client storage.Client) string {
	advice := "use PKCE with code_challenge_method=S256"
	if client.NonceReplacesPKCE() {
		advice += ", or send a nonce with scope openid; for a client that can do neither, its operator sets --pkce-optional"
	}
	return advice
}

// readResources reads the requested audiences (RFC 8707, section 2).
func readResources(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	for _, resource := range params["resource"] {
		if !slices.Contains(client.Resources, resource) {
			return resourceRefusal
		}
		if !slices.Contains(q.Resources, resource) {
			q.Resources = append(q.Resources, resource)
		}
	}
	return nil
}

// readClaimsRequest reads the claims parameter (OIDC Core, section 5.5). It stores the
// claims that exist, and the values that the client requires of acr, auth_time and sub in
// the ID token.
func readClaimsRequest(q *request.Request, _ storage.Client, params url.Values) *flow.Refusal {
	if !params.Has("claims") {
		return nil
	}
	kept, err := flow.ParseClaimsRequest(params.Get("claims"))
	if err != nil {
		return flow.Refuse("claims_malformed", "invalid_request", err.Error())
	}
	if acr := kept.IDToken["acr"]; acr != nil {
		wanted, ok := acr.Wanted()
		if !ok {
			return flow.Refuse("claims_malformed", "invalid_request", "the acr in claims must have strings as values")
		}
		if acr.Essential {
			q.EssentialACR = foreign.Distinct(wanted)
		} else {
			q.VoluntaryACR = storage.KnownACRs(wanted)
		}
	}
	if asked := kept.IDToken["auth_time"]; asked != nil {
		q.NeedAuthTime = asked.Essential
	}
	if sub := kept.IDToken["sub"]; sub != nil {
		wanted, ok := sub.Wanted()
		if wanted = foreign.Distinct(wanted); !ok || len(wanted) > 1 || slices.Contains(wanted, "") {
			return flow.Refuse("claims_malformed", "invalid_request", "the sub in claims must have exactly one subject as its value")
		}
		if len(wanted) == 1 {
			q.HintSubject = wanted[0]
		}
	}
	if q.Claims, err = json.Marshal(kept); err != nil {
		return flow.Refuse("claims_malformed", "invalid_request", "claims cannot be encoded: send fewer or simpler claims")
	}
	return nil
}

// readACRValues reads acr_values, and without it the default of the client (OIDC Core, section
// 3.1.2.1; OIDC Registration, section 2). Unknown values are ignored. An acr claim with values comes
// first: it is more specific.
func readACRValues(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	asked := strings.Fields(params.Get("acr_values"))
	if len(asked) == 0 && len(q.EssentialACR) == 0 && len(q.VoluntaryACR) == 0 {
		asked = client.Metadata.DefaultACRValues
	}
	q.VoluntaryACR = storage.KnownACRs(append(q.VoluntaryACR, asked...))
	return nil
}

// readHint reads id_token_hint, which must be an ID token of this provider for this client.
// The hint never signs a user in. It only names the user that the client expects.
func (h *Handler) readHint(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	if !params.Has("id_token_hint") {
		return nil
	}
	token, err := h.Ring.VerifyIDTokenHint(params.Get("id_token_hint"), h.Now())
	if err != nil || token.Audience != client.ID {
		return flow.Refuse("foreign_hint", "invalid_request", "id_token_hint is not an ID token that was issued to this client")
	}
	if q.HintSubject != "" && q.HintSubject != token.Subject {
		return flow.Refuse("hint_contradicts", "invalid_request", "id_token_hint and claims name different subjects")
	}
	q.HintSubject = token.Subject
	return nil
}
