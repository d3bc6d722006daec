package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// caller is the service or the person who calls the API, with the scopes of the token.
type caller struct {
	client storage.Client // of a service
	person storage.User   // with a role of administration; the zero value for a service
	scopes []string
}

// id returns the ID of the caller, for the events: that of the person, or of the client.
func (c caller) id() string {
	if c.person.ID != "" {
		return c.person.ID
	}
	return c.client.ID
}

// authenticate returns the caller of a request. Client and token are read from the database, so a
// client that was disabled, and a token that was revoked, are refused at once, on every node.
func (h *Handler) authenticate(r *http.Request) (caller, error) {
	token, err := web.HeaderToken(r)
	if err != nil {
		return caller{}, err
	}
	at := h.Now()
	access, err := h.Ring.VerifyAccess(token, at)
	if err != nil {
		return caller{}, web.Because("unknown_or_expired_token", err)
	}
	if h.Tokens.IsOperatorToken(access) {
		return h.authenticatePerson(r, access, at)
	}
	web.TraceOf(r.Context()).NoteClient(access.ClientID)
	// A token of a grant is that of a person. It never administers, with any audience.
	if !slices.Contains(access.Audience, storage.AdminAudience(h.Issuer)) || access.GrantID != "" || access.Subject != access.ClientID {
		return caller{}, because("foreign_audience", "the token is not for the administration API")
	}
	client, err := h.DB.Client(r.Context(), access.ClientID)
	if err != nil {
		return caller{}, gone(err)
	}
	if !client.Enabled() || !client.AdminAPI {
		return caller{}, because("client_gone", "the client is disabled, or may not use the administration API any more")
	}
	access, err = h.Tokens.NarrowAccess(r.Context(), access, client, at)
	if err != nil {
		return caller{}, gone(err)
	}
	return caller{client: client, scopes: strings.Fields(access.Scope)}, nil
}

// authenticatePerson returns the person of a token from the pages for operators. Session, user and role
// are read from the database, so it counts at once if the person signs out, is disabled or loses the
// role.
func (h *Handler) authenticatePerson(r *http.Request, access keys.AccessToken, at time.Time) (caller, error) {
	if !slices.Contains(access.Audience, storage.AdminAudience(h.Issuer)) {
		return caller{}, because("foreign_audience", "the token is not for the administration API")
	}
	session, user, err := h.DB.Session(r.Context(), access.SessionID, at)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return caller{}, web.Because("session_gone", err)
	case err != nil:
		return caller{}, err
	case user.PublicSubject() != access.Subject:
		return caller{}, because("session_gone", "the session belongs to another user")
	case h.NeedsFactor && !storage.ACRReaches(session.ACR, storage.ACRTwoFactors):
		return caller{}, because("second_factor_needed", "sign in with a second factor, and get another token")
	}
	web.TraceOf(r.Context()).NoteUser(user.ID)
	scopes := flow.OperatorScopes(access, user.AdminRole())
	if len(scopes) == 0 {
		return caller{}, because("role_lost", "the role of the person does not stand for a scope of the token any more")
	}
	return caller{person: user, scopes: scopes}, nil
}

// gone replaces the cause not_found, which would be answered like an unknown object.
func gone(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return web.Because("client_gone", err)
	}
	return err
}

// require refuses a caller that has none of the scopes.
func (c caller) require(scopes []string) error {
	if slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(c.scopes, scope) }) {
		return nil
	}
	return because("scope_missing", "this call needs the scope "+strings.Join(scopes, " or "))
}

// isAdmin reports whether the caller may do everything.
func (c caller) isAdmin() bool { return slices.Contains(c.scopes, storage.ScopeAdminAll) }
