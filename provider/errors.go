package provider

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

var (
	errClientAuthentication = errors.New("client authentication failed")
	errClientThrottled      = errors.New("too many failed client authentications")
	errPanic                = errors.New("the handler panicked")
	errTwoMethods           = errors.New("more than one client authentication method")
	errTwoClients           = errors.New("client_id differs from the Authorization header")
	errNoGrantType          = errors.New("grant_type is missing")
	errGrantType            = errors.New("grant type is not supported")
	errClientGrant          = errors.New("grant type is not allowed for this client")
	errForeignCode          = errors.New("code was issued for another client or redirect URI")
	errVerifier             = errors.New("code verifier does not match")
	errResource             = errors.New("resource was not granted")
	errForeignToken         = errors.New("refresh token was issued for another client or channel")
	errScopeWidened         = errors.New("scope is wider than what was granted")
	errServiceScope         = errors.New("scope is not one of this client's own")
	errNoToken              = errors.New("token is missing")
)

const unusableGrant = "the code or refresh token is unknown, expired, used or not yours: start a new authorization request"

// answers is the one table from causes to OAuth errors (RFC 6749, section 5.2).
// What it does not know is server_error with a fixed sentence; the cause stands
// in the log alone. Errors are built per request: none is shared.
var answers = []struct {
	cause       error
	make        func() *oidc.Error
	status      int
	description string
}{
	{errClientAuthentication, oidc.ErrInvalidClient, http.StatusUnauthorized, "client authentication failed: check client_id, secret and method"},
	{errClientThrottled, oidc.ErrInvalidClient, http.StatusTooManyRequests, "client authentication failed too often: correct client_id, secret and method, and wait as Retry-After says"},
	{errTwoMethods, oidc.ErrInvalidRequest, http.StatusBadRequest, "authenticate the client in one way only"},
	{errTwoClients, oidc.ErrInvalidRequest, http.StatusBadRequest, "client_id differs from the Authorization header"},
	{errNoGrantType, oidc.ErrInvalidRequest, http.StatusBadRequest, "grant_type is missing"},
	{errGrantType, oidc.ErrUnsupportedGrantType, http.StatusBadRequest, "see grant_types_supported in the discovery document"},
	{errClientGrant, oidc.ErrUnauthorizedClient, http.StatusBadRequest, "this client is not registered for this grant_type"},
	{errResource, oidc.ErrInvalidTarget, http.StatusBadRequest, "resource was not part of the authorization"},
	{errScopeWidened, oidc.ErrInvalidScope, http.StatusBadRequest, "scope may only name what was granted"},
	{errServiceScope, oidc.ErrInvalidScope, http.StatusBadRequest, "scope may only name what the client is registered for, and nothing about a person"},
	{errNoToken, oidc.ErrInvalidRequest, http.StatusBadRequest, "token is missing"},
	{errVerifier, oidc.ErrInvalidGrant, http.StatusBadRequest, "code_verifier does not match: start a new authorization request"},

	// The client learns the same for unknown, expired, replayed and revoked.
	{errForeignCode, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{errForeignToken, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{keys.ErrInvalid, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{keys.ErrExpired, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{storage.ErrNotFound, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{storage.ErrExpired, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{storage.ErrReplayed, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},
	{storage.ErrRevoked, oidc.ErrInvalidGrant, http.StatusBadRequest, unusableGrant},

	{storage.ErrUnavailable, unavailable, http.StatusServiceUnavailable, "the database does not answer: try again"},
}

func unavailable() *oidc.Error { return &oidc.Error{ErrorType: "temporarily_unavailable"} }

// oauthError maps a cause to what the client is told, with its headers.
func oauthError(ctx context.Context, cause error) error {
	trace := web.TraceOf(ctx)
	trace.Note("error", cause.Error())
	for _, a := range answers {
		if !errors.Is(cause, a.cause) {
			continue
		}
		answer := a.make()
		answer.Description = a.description
		if a.status == http.StatusServiceUnavailable {
			trace.Header.Set("Retry-After", "5")
		}
		if throttled, ok := errors.AsType[*storage.ThrottledError](cause); ok {
			trace.Header.Set("Retry-After", strconv.Itoa(throttled.Seconds()))
		}
		return op.NewStatusError(answer, a.status)
	}
	answer := oidc.ErrServerError()
	answer.Description = "internal error " + trace.ID
	return op.NewStatusError(answer, http.StatusInternalServerError)
}

// writeOAuthError answers outside the library. A client that tried Basic is
// challenged for it (RFC 6749, section 5.2).
func writeOAuthError(w http.ResponseWriter, r *http.Request, cause error) {
	if errors.Is(cause, errClientAuthentication) && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="signet", charset="UTF-8"`)
	}
	op.WriteError(w, r, oauthError(r.Context(), cause), nil)
}
