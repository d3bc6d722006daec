package oauth

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/web"
	"signet/storage"
)

// userinfo serves the UserInfo endpoint (OIDC Core, section 5.3). It accepts GET or POST with
// a bearer token in the header, and POST with the token in the form body.
func (h *Handler) userinfo(w http.ResponseWriter, r *http.Request) {
	token, err := readBearerToken(w, r)
	if err == nil {
		err = h.answerUserinfo(w, r, token)
	}
	if err != nil {
		web.Bearer.Fail(w, r, err)
	}
}

// answerUserinfo answers with JSON, or with a signed JWT if the client has chosen an algorithm
// (OIDC Core, section 5.3.2).
func (h *Handler) answerUserinfo(w http.ResponseWriter, r *http.Request, token string) error {
	claims, client, err := h.userinfoClaims(w, r, token)
	if err != nil {
		return err
	}
	if client.Metadata.UserinfoSignedAlg == "" {
		return web.WriteJSON(w, http.StatusOK, claims)
	}
	signed, err := h.Ring.SignUserInfo(client.Metadata.UserinfoSignedAlg, client.ID, claims)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, signed) // if the client has closed the connection, there is nothing to do
	return nil
}

// userinfoClaims checks the token. It returns the claims that the token releases now, and its client.
func (h *Handler) userinfoClaims(w http.ResponseWriter, r *http.Request, token string) (map[string]any, storage.Client, error) {
	var client storage.Client
	at := h.Now()
	access, err := h.Ring.VerifyAccess(token, at)
	if err != nil {
		return nil, client, web.Because("unknown_or_expired_token", err)
	}
	trace := web.TraceOf(r.Context())
	trace.NoteClient(access.ClientID)
	trace.NoteGrant(storage.Grant{ID: access.GrantID, UserID: storage.UserIDIn(access.Subject), ClientID: access.ClientID, SessionID: access.SessionID})
	client, err = h.Clients.Enabled(r.Context(), access.ClientID)
	if err != nil {
		return nil, client, invalidTokenCause(err)
	}
	allowOrigin(w.Header(), r.Header.Get("Origin"), client)
	if !slices.Contains(access.Audience, h.Issuer) || access.GrantID == "" {
		return nil, client, because("foreign_audience", "the token is not for userinfo")
	}
	if !slices.Contains(strings.Fields(access.Scope), oidc.ScopeOpenID) {
		return nil, client, errScopeMissing
	}
	grant, user, err := h.Tokens.LiveGrant(r.Context(), access, client, at)
	if err != nil {
		return nil, client, invalidTokenCause(err)
	}
	trace.NoteUser(user.ID)
	rights := flow.GrantRights(grant).NarrowedTo(client).Only(strings.Fields(access.Scope))
	if !slices.Contains(rights.Scopes, oidc.ScopeOpenID) {
		return nil, client, because("scope_lost", "the client is no longer registered for the scope openid")
	}
	claims := flow.UserInfoClaims(access.Subject, rights, flow.VisibleTo(client, user))
	return claims, client, flow.CheckLists(claims)
}

var errScopeMissing = because("scope_missing", "the access token lacks the scope openid")

// invalidTokenCause replaces the cause not_found with grant_dead. The token has a valid
// signature, so its client and its grant have existed. Other errors keep their cause.
func invalidTokenCause(err error) error {
	if web.CauseOf(err) == "not_found" {
		return web.Because("grant_dead", err)
	}
	return err
}

// readBearerToken returns the access token of a request. The token must be in exactly one
// place, and never in the query (RFC 6750, section 2). Other parameters in the query are
// ignored, since some clients send schema=openid. With a token in the header, a body that is
// not a form is ignored too, since some clients send JSON with each POST.
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
		return malformedRequest("send the access token only once")
	case body != "":
		return body, nil
	case len(headers) == 0 && r.ContentLength != 0 && !web.IsForm(r):
		return malformedRequest("the body must be a form with access_token")
	case len(headers) == 0:
		return "", web.ErrNoBearer
	}
	return web.ParseBearer(headers[0])
}

func malformedRequest(text string) (string, error) { return "", because("malformed_request", text) }

// withoutQuery returns a copy of r without the query, which PostForm would refuse.
func withoutQuery(r *http.Request) *http.Request {
	if r.URL.RawQuery == "" {
		return r
	}
	plain, at := *r, *r.URL
	at.RawQuery = ""
	plain.URL = &at
	return &plain
}
