package oauth

import (
	"context"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/request"
)

// serviceGrant serves grant_type=client_credentials (RFC 6749, section 4.4). It issues an
// access token for the client itself. The token belongs to no user, so it never carries a
// scope about a user, such as openid or offline_access. It has no grant. It ends when it
// expires or is revoked, and when its client is disabled, is deleted, or loses the grant
// type.
func (h *Handler) serviceGrant(_ context.Context, r tokenRequest) (tokenResponse, error) {
	client := r.client
	allowed := strings.Fields(client.Metadata.Scope)
	scopes := foreign.Distinct(strings.Fields(r.form.Get("scope")))
	if len(scopes) == 0 {
		scopes = slices.DeleteFunc(slices.Clone(allowed), isUserScope)
	}
	for _, scope := range scopes {
		if isUserScope(scope) || !slices.Contains(allowed, scope) {
			return tokenResponse{}, errServiceScope
		}
	}
	for _, resource := range r.form["resource"] {
		if !slices.Contains(client.Resources, resource) {
			return tokenResponse{}, flow.ErrResourceNotGranted
		}
	}
	return newTokenResponse(h.Tokens.ServiceToken(client, scopes, r.form["resource"], h.Now()))
}

// isUserScope reports whether a scope is about an end-user.
func isUserScope(scope string) bool { return slices.Contains(request.ScopeNames, scope) }
