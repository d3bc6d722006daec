package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// introspection is the answer about a valid token (RFC 7662, section 2.2).
type introspection struct {
	Active    bool     `json:"active"`
	TokenType string   `json:"token_type,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
}

// inactive is the whole answer for a token that is invalid or unknown, and for a token that
// the client may not introspect.
var inactive = introspection{}

// introspect serves the introspection endpoint (RFC 7662). The client must authenticate.
// token_type_hint is ignored, because each kind of token is recognized without it.
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request) {
	client, err := h.authenticate(r)
	if err == nil && client.Public() {
		err = errPublicClient
	}
	if err == nil && !r.PostForm.Has("token") {
		err = errNoToken
	}
	if err != nil {
		web.OAuth.Fail(w, r, err)
		return
	}
	web.TraceOf(r.Context()).NoteClient(client.ID)
	answer, err := h.introspectToken(r.Context(), client, r.PostForm.Get("token"), h.Now())
	if err == nil {
		err = web.WriteJSON(w, http.StatusOK, answer)
	}
	if err != nil {
		web.OAuth.Fail(w, r, err)
	}
}

func (h *Handler) introspectToken(ctx context.Context, client storage.Client, token string, at time.Time) (introspection, error) {
	if access, err := h.Ring.VerifyAccess(token, at); err == nil {
		return h.introspectAccess(ctx, client, access, at)
	}
	if refresh, err := h.Ring.OpenRefresh(token, at); err == nil {
		return h.introspectRefresh(ctx, client, refresh, at)
	}
	return inactive, nil
}

// mayIntrospect reports whether a client may introspect an access token. It may if the token
// was issued to it, if it is an API in the audience of the token, or if an administrator has
// allowed it to introspect all tokens.
func mayIntrospect(client storage.Client, access keys.AccessToken) bool {
	return client.ID == access.ClientID || client.Introspects ||
		slices.ContainsFunc(access.Audience, func(a string) bool { return slices.Contains(client.Audiences, a) })
}

func (h *Handler) introspectAccess(ctx context.Context, client storage.Client, access keys.AccessToken, at time.Time) (introspection, error) {
	if !mayIntrospect(client, access) {
		noteIfForeign(ctx, client.ID, storage.Grant{ID: access.GrantID, UserID: storage.UserIDIn(access.Subject), ClientID: access.ClientID})
		return inactive, nil
	}
	issuedTo, err := h.Clients.Enabled(ctx, access.ClientID)
	if err == nil {
		access, err = h.Tokens.NarrowAccess(ctx, access, issuedTo, at)
	}
	if errors.Is(err, storage.ErrNotFound) || err == nil && !mayIntrospect(client, access) {
		return inactive, nil
	}
	if err != nil {
		return inactive, err
	}
	return introspection{
		Active: true, TokenType: "Bearer", Scope: access.Scope, ClientID: access.ClientID, Subject: access.Subject,
		Audience: access.Audience, Issuer: h.Issuer, ID: access.ID, SessionID: access.SessionID,
		AuthTime: access.AuthTime, ACR: access.ACR, AMR: access.AMR, Roles: access.Roles, Groups: access.Groups,
		IssuedAt: access.IssuedAt, Expires: access.Expires,
	}, nil
}

// introspectRefresh answers for a refresh token. Only the client that the token was issued to
// may introspect it.
func (h *Handler) introspectRefresh(ctx context.Context, client storage.Client, refresh keys.RefreshToken, at time.Time) (introspection, error) {
	if noteIfForeign(ctx, client.ID, storage.Grant{ID: refresh.GrantID, UserID: storage.UserIDIn(refresh.Subject), ClientID: refresh.ClientID}) {
		return inactive, nil
	}
	if !slices.Contains(client.Metadata.GrantTypes, storage.GrantRefresh) {
		return inactive, nil
	}
	grant, err := h.DB.RefreshableGrant(ctx, storage.GrantRotation{
		GrantID: refresh.GrantID, Generation: refresh.Generation, ClientID: client.ID,
		CheckSubject: h.checkSubject(client, refresh), Online: !request.MayAsk(client, request.ScopeOfflineAccess),
	}, at)
	if errors.Is(err, storage.ErrNotFound) {
		return inactive, nil
	}
	if err != nil {
		return inactive, err
	}
	rights := flow.GrantRights(grant).NarrowedTo(client)
	if len(rights.Scopes) == 0 || grant.FirstParty && !client.FirstParty {
		return inactive, nil
	}
	return introspection{
		Active: true, TokenType: "refresh_token", Scope: strings.Join(rights.Scopes, " "), ClientID: client.ID, Subject: refresh.Subject,
		Audience: []string{h.Issuer}, Issuer: h.Issuer, SessionID: grant.SessionID,
		IssuedAt: refresh.IssuedAt, Expires: refresh.Expires,
	}, nil
}
