package oauth

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/storage"
)

// The response modes (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1; OAuth
// 2.0 Form Post Response Mode, section 2).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

var responseModes = []string{modeQuery, modeFragment, modeFormPost}

// readResponseMode runs first because it decides where every later refusal is written: into
// the query, into the fragment, or into a form. The default is the query for
// response_type=code and the fragment for response types with a token, even for those that are
// refused. A token is never in the query, where logs and histories would store it (OAuth 2.0
// Multiple Response Type Encoding Practices, section 5).
func readResponseMode(q *request.Request, _ storage.Client, params url.Values) *flow.Refusal {
	types := strings.Fields(params.Get("response_type"))
	withToken := slices.Contains(types, "token") || slices.Contains(types, "id_token")
	if withToken {
		q.ResponseMode = modeFragment
	}
	switch mode := params.Get("response_mode"); mode {
	case "":
	case modeQuery:
		if withToken {
			return flow.Refuse("response_mode_unfit", "invalid_request", "response_mode=query cannot return tokens: use fragment or form_post")
		}
	case modeFragment:
		q.ResponseMode = mode
	case modeFormPost:
		if refusal := checkFormPost(*q); refusal != nil {
			return refusal
		}
		q.ResponseMode = mode
	default:
		return flow.Refuse("response_mode_unknown", "invalid_request", "response_mode must be "+strings.Join(responseModes, ", "))
	}
	return nil
}

// checkFormPost refuses a response that a form cannot carry to the client. A browser opens the
// app of another scheme without the content of the form, and it changes line breaks in a form.
func checkFormPost(q request.Request) *flow.Refusal {
	switch {
	case !strings.HasPrefix(q.RedirectURI, "https://") && !strings.HasPrefix(q.RedirectURI, "http://"):
		return flow.Refuse("response_mode_unfit", "invalid_request", "response_mode=form_post needs an http or https redirect_uri: use query")
	case strings.ContainsFunc(q.State, unicode.IsControl):
		return flow.Refuse("response_mode_unfit", "invalid_request", "response_mode=form_post cannot return control characters in state: leave them out")
	}
	return nil
}

// readResponseType reads which of the response types is requested, with its words in any order.
func readResponseType(q *request.Request, client storage.Client, params url.Values) *flow.Refusal {
	asked := params.Get("response_type")
	if strings.TrimSpace(asked) == "" {
		return flow.Refuse("response_type_missing", "invalid_request", "response_type is missing: send code")
	}
	t, known := storage.FindResponseType(asked)
	if !known {
		return flow.Refuse("response_type_unknown", "unsupported_response_type", "this response_type is not supported: send code")
	}
	if t.Name != storage.ResponseTypeCode {
		q.ResponseType = t.Name
	}
	return checkResponseType(t, client)
}

// checkResponseType refuses a client that is not registered for the response type.
func checkResponseType(t storage.ResponseType, client storage.Client) *flow.Refusal {
	switch {
	case client.AllowsResponseType(t):
		return nil
	case t.InFrontChannel():
		return flow.Refuse("response_type_not_allowed", "unauthorized_client", "this client is not registered for this response_type: send code")
	}
	return flow.Refuse("grant_type_not_allowed", "unauthorized_client", "this client is not registered for the authorization code grant")
}

// checkFrontChannel checks the parts of the request that a response with tokens needs (OIDC
// Core, sections 3.2.2.1 and 3.3.2.11). Without a code there is no refresh token, so
// offline_access is ignored then (OIDC Core, section 11).
func checkFrontChannel(q *request.Request, _ storage.Client, _ url.Values) *flow.Refusal {
	t := q.Type()
	if !t.Code {
		q.Scopes = slices.DeleteFunc(q.Scopes, func(scope string) bool { return scope == oidc.ScopeOfflineAccess })
	}
	switch {
	case len(q.Scopes) == 0:
		return scopeRefusal
	case t.IDToken && !q.HasScope(oidc.ScopeOpenID):
		return flow.Refuse("openid_missing", "invalid_scope", "a response_type with id_token needs the scope openid")
	case t.IDToken && q.Nonce == "":
		return flow.Refuse("nonce_missing", "invalid_request", "nonce is missing: a response_type with id_token needs it")
	}
	return nil
}
