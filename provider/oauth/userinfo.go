package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/web"
	"signet/storage"
)

// userinfo serves the UserInfo endpoint (OIDC Core, section 5.3): GET or POST
// with a bearer token in the header, or POST with it in the form body.
func (h *Handler) userinfo(w http.ResponseWriter, r *http.Request) {
	token, err := readBearerToken(w, r)
	var claims map[string]any
	if err == nil {
		claims, err = h.userinfoClaims(w, r, token)
	}
	if err == nil {
		err = web.WriteJSON(w, http.StatusOK, claims)
	}
	if err != nil {
		web.Bearer.Fail(w, r, err)
	}
}

func (h *Handler) userinfoClaims(w http.ResponseWriter, r *http.Request, token string) (map[string]any, error) {
	at := h.Now()
	access, err := h.Ring.VerifyAccess(token, at)
	if err != nil {
		return nil, web.Because("unknown_or_expired_token", err)
	}
	trace := web.TraceOf(r.Context())
	trace.NoteClient(access.ClientID)
	trace.NoteGrant(storage.Grant{ID: access.GrantID, UserID: access.Subject, ClientID: access.ClientID, SessionID: access.SessionID})
	client, err := h.Clients.Enabled(r.Context(), access.ClientID)
	if err != nil {
		return nil, invalidTokenCause(err)
	}
	allowOrigin(w.Header(), r.Header.Get("Origin"), client)
	if !slices.Contains(access.Audience, h.Issuer) || access.GrantID == "" {
		return nil, because("foreign_audience", "the token is not for userinfo")
	}
	if !slices.Contains(strings.Fields(access.Scope), oidc.ScopeOpenID) {
		return nil, errScopeMissing
	}
	grant, user, err := h.Tokens.LiveGrant(r.Context(), access, client, at)
	if err != nil {
		return nil, invalidTokenCause(err)
	}
	trace.NoteUser(user.ID)
	rights := flow.GrantRights(grant).NarrowedTo(client).Only(strings.Fields(access.Scope))
	if !slices.Contains(rights.Scopes, oidc.ScopeOpenID) {
		return nil, because("scope_lost", "the client may not have the scope openid any more")
	}
	claims := flow.UserInfoClaims(rights, flow.VisibleTo(client, user))
	return claims, flow.CheckLists(claims)
}

// Why a bearer token is refused, see the table of answers in provider/web.
var (
	errNoBearer     = because("token_missing", "no access token came")
	errScopeMissing = because("scope_missing", "the access token lacks the scope openid")
)

// deadToken gives the cause of a token that was good once, where nobody knows better.
func invalidTokenCause(err error) error {
	if web.CauseOf(err) == "not_found" {
		return web.Because("grant_dead", err)
	}
	return err
}

// bearer finds the access token of a request: in exactly one place, never in the
// query (RFC 6750, section 2). Other parameters there, and a body that is no form, say
// nothing: some clients send schema=openid, or JSON with each POST.
func readBearerToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if strings.Contains(r.URL.RawQuery, "access_token") || len(r.Header.Values("Content-Type")) > 1 {
		return malformedRequest("send the access token in the Authorization header")
	}
	var body string
	if r.Method == http.MethodPost && web.IsForm(r) {
		form, err := web.PostForm(w, withoutQuery(r))
		if err != nil {
			return malformedRequest("the body must be a form with access_token")
		}
		body = form.Get("access_token")
	}
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) > 1 || (len(headers) == 1 && body != ""):
		return malformedRequest("send the access token once")
	case body != "":
		return body, nil
	case len(headers) == 0 && r.ContentLength != 0 && !web.IsForm(r):
		return malformedRequest("the body must be a form with access_token")
	case len(headers) == 0:
		return "", errNoBearer
	}
	return parseAuthorization(headers[0])
}

// credentialsOf takes the token from an Authorization header (RFC 6750, section 2.1).
func parseAuthorization(header string) (string, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNoBearer
	}
	if token == "" || strings.ContainsAny(token, " \t") {
		return malformedRequest("write Authorization: Bearer, one space, and the token")
	}
	return token, nil
}

func malformedRequest(text string) (string, error) { return "", because("malformed_request", text) }

// withoutQuery is the request without a query, of which nothing is read.
func withoutQuery(r *http.Request) *http.Request {
	if r.URL.RawQuery == "" {
		return r
	}
	plain, at := *r, *r.URL
	at.RawQuery = ""
	plain.URL = &at
	return &plain
}
