package provider

import (
	"errors"
	"net/http"
	"strconv"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// Each error has the stable code of its cause, for the log and the audit event.
var (
	errClientAuthentication = because("client_authentication", "client authentication failed")
	errClientThrottled      = because("throttled", "too many failed client authentications")
	errPanic                = because("panic", "the handler panicked")
	errTwoMethods           = because("two_methods", "more than one client authentication method")
	errTwoClients           = because("two_clients", "client_id differs from the Authorization header")
	errNoGrantType          = because("grant_type_missing", "grant_type is missing")
	errGrantType            = because("grant_type_unknown", "grant type is not supported")
	errClientGrant          = because("grant_type_not_allowed", "grant type is not allowed for this client")
	errForeignCode          = because("foreign_code", "code was issued for another client or redirect URI")
	errVerifier             = because("wrong_verifier", "code verifier does not match")
	errForeignToken         = because("foreign_refresh_token", "refresh token was issued for another client or channel")
	errAuthorizationDetails = because("authorization_details", "authorization_details is not supported")
	errServiceScope         = because("scope_not_allowed", "scope is not one of this client's own")
	errNoToken              = because("token_missing", "token is missing")
	errNoCode               = because("code_missing", "code is missing")
	errNoRefreshToken       = because("refresh_token_missing", "refresh_token is missing")
)

func because(code, text string) error { return web.Because(code, errors.New(text)) }

const unusableGrant = "the code or refresh token is unknown, expired, used or not yours: start a new authorization request"

// answers is the one table from causes to OAuth errors (RFC 6749, section 5.2).
// What it does not know is server_error with a fixed sentence; the cause stands
// in the log alone.
var answers = []struct {
	cause       error
	code        string
	status      int
	description string
}{
	{errClientAuthentication, "invalid_client", http.StatusUnauthorized, "client authentication failed: check client_id and secret"},
	{errClientThrottled, "invalid_client", http.StatusTooManyRequests, "client authentication failed too often: correct client_id and secret, and wait as Retry-After says"},
	{errTwoMethods, "invalid_request", http.StatusBadRequest, "authenticate the client in one way only"},
	{errTwoClients, "invalid_request", http.StatusBadRequest, "client_id differs from the Authorization header"},
	{errNoGrantType, "invalid_request", http.StatusBadRequest, "grant_type is missing"},
	{errGrantType, "unsupported_grant_type", http.StatusBadRequest, "see grant_types_supported in the discovery document"},
	{errClientGrant, "unauthorized_client", http.StatusBadRequest, "this client is not registered for this grant_type"},
	{flow.ErrResource, "invalid_target", http.StatusBadRequest, "resource was not part of the authorization"},
	{flow.ErrResourcesLost, "invalid_target", http.StatusBadRequest, "the client may no longer ask for any resource of the authorization: register them again, or start a new authorization request"},
	{errAuthorizationDetails, "invalid_authorization_details", http.StatusBadRequest, "authorization_details is not supported: ask by scope and resource"},
	{flow.ErrScopeLost, "invalid_scope", http.StatusBadRequest, "the client may no longer have these scopes: leave scope out to get what is left"},
	{flow.ErrNothingLeft, "invalid_grant", http.StatusBadRequest, "the client may no longer have anything of what was granted: start a new authorization request"},
	{flow.ErrScopeWidened, "invalid_scope", http.StatusBadRequest, "scope may only name what was granted"},
	{errServiceScope, "invalid_scope", http.StatusBadRequest, "scope may only name what the client is registered for, and nothing about a person"},
	{errNoToken, "invalid_request", http.StatusBadRequest, "token is missing"},
	{errNoCode, "invalid_request", http.StatusBadRequest, "code is missing"},
	{errNoRefreshToken, "invalid_request", http.StatusBadRequest, "refresh_token is missing"},
	{errVerifier, "invalid_grant", http.StatusBadRequest, "code_verifier does not match: start a new authorization request"},

	// The client learns the same for unknown, expired, replayed and revoked.
	{errForeignCode, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{errForeignToken, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{keys.ErrInvalid, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{keys.ErrExpired, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{storage.ErrNotFound, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{storage.ErrExpired, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{storage.ErrReplayed, "invalid_grant", http.StatusBadRequest, unusableGrant},
	{storage.ErrRevoked, "invalid_grant", http.StatusBadRequest, unusableGrant},

	{storage.ErrUnavailable, "temporarily_unavailable", http.StatusServiceUnavailable, "the database does not answer: try again"},
}

// advised is an error with its own sentence for the client, which says better than
// the table what to change.
type advised struct {
	error
	advice string
}

func (a *advised) Unwrap() error { return a.error }

// writeOAuthError answers with what the table says of a cause. A client that tried
// Basic is challenged for it (RFC 6749, section 5.2).
func writeOAuthError(w http.ResponseWriter, r *http.Request, cause error) {
	trace := web.TraceOf(r.Context())
	if errors.Is(cause, errClientAuthentication) && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="signet", charset="UTF-8"`)
	}
	for _, a := range answers {
		if !errors.Is(cause, a.cause) {
			continue
		}
		if a.status == http.StatusServiceUnavailable {
			trace.Fail(cause)
			w.Header().Set("Retry-After", "5")
		}
		if trace.Refuse(cause); errors.Is(cause, storage.ErrReplayed) {
			trace.Recorded() // as grant.replayed
		}
		if throttled, ok := errors.AsType[*storage.ThrottledError](cause); ok {
			w.Header().Set("Retry-After", strconv.Itoa(throttled.Seconds()))
		}
		description := a.description
		if better, ok := errors.AsType[*advised](cause); ok {
			description = better.advice
		}
		writeError(w, a.status, a.code, description)
		return
	}
	trace.Fail(cause)
	writeError(w, http.StatusInternalServerError, "server_error", "internal error "+trace.ID)
}
