package provider

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"signet/provider/keys"
)

// ClientCredentialsExchange serves grant_type=client_credentials (RFC 6749,
// section 4.4): an access token for the client itself. It stands for no person,
// so that it never carries openid or offline_access, and it has no grant: it dies
// by its expiry, by its revocation, or with its client.
func (s *server) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	client := clientOf(r.Client)
	at := s.Now()
	allowed := strings.Fields(client.Metadata.Scope)
	scopes := strings.Fields(r.Form.Get("scope"))
	if !r.Form.Has("scope") {
		scopes = slices.DeleteFunc(slices.Clone(allowed), personal)
	}
	for _, scope := range scopes {
		if personal(scope) || !slices.Contains(allowed, scope) {
			return nil, oauthError(ctx, errServiceScope)
		}
	}
	for _, resource := range r.Form["resource"] {
		if !slices.Contains(client.Resources, resource) {
			return nil, oauthError(ctx, errResource)
		}
	}
	audience := slices.Clone(r.Form["resource"])
	if len(audience) == 0 {
		audience = []string{s.Issuer}
	}
	token := keys.AccessToken{
		Subject: client.ID, Audience: audience, ClientID: client.ID, Scope: strings.Join(scopes, " "), ID: rand.Text(),
		IssuedAt: at.Unix(), Expires: at.Add(s.Lifetimes.Access).Unix(),
	}
	signed, err := s.ring.SignAccess(accessAlg(s.ring.Algorithms()), token)
	if err != nil {
		return nil, oauthError(ctx, err)
	}
	return op.NewResponse(tokenResponse{
		AccessToken: signed, TokenType: oidc.BearerToken, ExpiresIn: int64(s.Lifetimes.Access.Seconds()), Scope: token.Scope,
	}), nil
}

// personal scopes speak of an end-user.
func personal(scope string) bool { return slices.Contains(scopeNames, scope) }
