package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/provider/web"
	"signet/storage"
)

// caller is the client that calls the API, with the scopes of its token.
type caller struct {
	client storage.Client
	scopes []string
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
	return caller{client, strings.Fields(access.Scope)}, nil
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
