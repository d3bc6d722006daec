package oauth

import (
	"context"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/storage"
)

// serviceGrant serves grant_type=client_credentials (RFC 6749, section 4.4). It issues an
// access token for the client itself. The token belongs to no user, so it never carries a
// scope about a user, such as openid or offline_access. It has no grant. It ends when it
// expires or is revoked, and when its client is disabled, is deleted, or loses the grant
// type.
func (h *Handler) serviceGrant(_ context.Context, r tokenRequest) (tokenResponse, error) {
	client, resources := r.client, foreign.Distinct(r.form["resource"])
	allowed := slices.DeleteFunc(strings.Fields(client.Metadata.Scope), func(scope string) bool {
		return isUserScope(scope) || storage.IsAdminScope(scope) && !client.AdminAPI
	})
	scopes := foreign.Distinct(strings.Fields(r.form.Get("scope")))
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return tokenResponse{}, errServiceScope
		}
	}
	if len(scopes) == 0 {
		scopes = h.scopesFor(resources, allowed)
	}
	resources, err := h.serviceResources(client, scopes, resources)
	if err != nil {
		return tokenResponse{}, err
	}
	return newTokenResponse(h.Tokens.ServiceToken(client, scopes, resources, h.Now()))
}

// scopesFor returns the scopes of a request that names none: those of the administration API for
// its token, and the others for every other token.
func (h *Handler) scopesFor(resources, allowed []string) []string {
	forAdmin := slices.Contains(resources, storage.AdminAudience(h.Issuer))
	if len(resources) == 0 {
		forAdmin = !slices.ContainsFunc(allowed, func(scope string) bool { return !storage.IsAdminScope(scope) })
	}
	return slices.DeleteFunc(slices.Clone(allowed), func(scope string) bool { return storage.IsAdminScope(scope) != forAdmin })
}

// serviceResources returns the resources of a service token. A scope of the administration API
// names its audience too. Such a token has no other audience: whoever receives the token could
// otherwise administer this server with it.
func (h *Handler) serviceResources(client storage.Client, scopes, resources []string) ([]string, error) {
	admin := storage.AdminAudience(h.Issuer)
	if slices.ContainsFunc(scopes, storage.IsAdminScope) && len(resources) == 0 {
		resources = []string{admin}
	}
	for _, resource := range resources {
		if resource == admin && client.AdminAPI && len(resources) == 1 {
			continue
		}
		if resource == admin || slices.ContainsFunc(scopes, storage.IsAdminScope) || !slices.Contains(client.Resources, resource) {
			return nil, flow.ErrResourceNotGranted
		}
	}
	return resources, nil
}

// isUserScope reports whether a scope is about an end-user.
func isUserScope(scope string) bool { return slices.Contains(request.ScopeNames, scope) }
