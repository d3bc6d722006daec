package provider

import (
	"context"
	"errors"
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
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	token, bad := bearer(w, r)
	if bad != nil {
		bad.write(w, r)
		return
	}
	claims, bad := p.userinfoClaims(w, r, token)
	if bad != nil {
		bad.write(w, r)
		return
	}
	if err := writeJSON(w, http.StatusOK, claims); err != nil {
		p.bearerInternal(r.Context(), err).write(w, r)
	}
}

func (p *Provider) userinfoClaims(w http.ResponseWriter, r *http.Request, token string) (map[string]any, *bearerError) {
	at := p.Now()
	access, err := p.ring.VerifyAccess(token, at)
	if err != nil {
		return nil, invalidToken.because(web.Because("unknown_or_expired_token", err))
	}
	trace := web.TraceOf(r.Context())
	trace.Client(access.ClientID)
	trace.Grant(storage.Grant{ID: access.GrantID, UserID: access.Subject, ClientID: access.ClientID, SessionID: access.SessionID})
	client, err := p.clients.Enabled(r.Context(), access.ClientID)
	if err != nil {
		return nil, p.bearerFailure(r.Context(), err)
	}
	allowOrigin(w.Header(), r.Header.Get("Origin"), client)
	if !slices.Contains(access.Audience, p.Issuer) || access.GrantID == "" {
		return nil, invalidToken.because(because("foreign_audience", "the token is not for userinfo"))
	}
	if !slices.Contains(strings.Fields(access.Scope), oidc.ScopeOpenID) {
		return nil, insufficientScope
	}
	grant, user, err := p.tokens.LiveGrant(r.Context(), access, client, at)
	if err != nil {
		return nil, p.bearerFailure(r.Context(), err)
	}
	trace.User(user.ID)
	rights := flow.GrantRights(grant).NarrowedTo(client).Only(strings.Fields(access.Scope))
	if !slices.Contains(rights.Scopes, oidc.ScopeOpenID) {
		return nil, insufficientScope.because(because("scope_lost", "the client may not have the scope openid any more"))
	}
	return flow.UserInfo(rights, flow.VisibleTo(client, user)), nil
}

// bearerError refuses a bearer token (RFC 6750, section 3).
type bearerError struct {
	status      int
	code        string // "" when no token came at all
	description string
	cause       error // for the log
}

func (e *bearerError) because(cause error) *bearerError {
	with := *e
	with.cause = cause
	return &with
}

var (
	noToken           = &bearerError{http.StatusUnauthorized, "", "", because("token_missing", "no access token came")}
	invalidToken      = &bearerError{http.StatusUnauthorized, "invalid_token", "the access token is not valid here, or not any more", nil}
	insufficientScope = &bearerError{http.StatusForbidden, "insufficient_scope", "the access token lacks the scope openid", because("scope_missing", "the access token lacks the scope openid")}
)

func (e *bearerError) write(w http.ResponseWriter, r *http.Request) {
	trace := web.TraceOf(r.Context())
	if e.status >= http.StatusInternalServerError {
		trace.Fail(e.cause)
	} else {
		trace.Refuse(e.cause)
	}
	if e.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
		writeError(w, e.status, e.code, e.description)
		return
	}
	challenge := "Bearer"
	if e.code != "" {
		challenge = `Bearer error="` + e.code + `", error_description="` + e.description + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	code := e.code
	if code == "" {
		code = "invalid_token"
	}
	writeError(w, e.status, code, e.description)
}

// bearerFailure tells a dead token from a database that does not answer.
func (p *Provider) bearerFailure(ctx context.Context, err error) *bearerError {
	if errors.Is(err, storage.ErrNotFound) {
		if web.CauseOf(err) == "not_found" {
			err = web.Because("grant_dead", err)
		}
		return invalidToken.because(err)
	}
	return p.bearerInternal(ctx, err)
}

func (p *Provider) bearerInternal(ctx context.Context, err error) *bearerError {
	if errors.Is(err, storage.ErrUnavailable) {
		return &bearerError{http.StatusServiceUnavailable, "temporarily_unavailable", "the database does not answer: try again", err}
	}
	return &bearerError{http.StatusInternalServerError, "server_error", "internal error " + web.TraceOf(ctx).ID, err}
}

// bearer finds the access token of a request: in exactly one place, never in the
// query (RFC 6750, section 2). Other parameters there, and a body that is no form, say
// nothing: some clients send schema=openid, or JSON with each POST.
func bearer(w http.ResponseWriter, r *http.Request) (string, *bearerError) {
	malformed := func(text string) (string, *bearerError) {
		return "", &bearerError{http.StatusBadRequest, "invalid_request", text, because("malformed_request", text)}
	}
	if strings.Contains(r.URL.RawQuery, "access_token") || len(r.Header.Values("Content-Type")) > 1 {
		return malformed("send the access token in the Authorization header")
	}
	var body string
	if r.Method == http.MethodPost && web.IsForm(r) {
		form, err := web.PostForm(w, withoutQuery(r))
		if err != nil {
			return malformed("the body must be a form with access_token")
		}
		body = form.Get("access_token")
	}
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) > 1 || (len(headers) == 1 && body != ""):
		return malformed("send the access token once")
	case body != "":
		return body, nil
	case len(headers) == 0 && r.ContentLength != 0 && !web.IsForm(r):
		return malformed("the body must be a form with access_token")
	case len(headers) == 0:
		return "", noToken
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", noToken
	}
	if token == "" || strings.ContainsAny(token, " \t") {
		return malformed("write Authorization: Bearer, one space, and the token")
	}
	return token, nil
}

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
