package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/request"
	"signet/storage"
)

// LiveGrant reads the grant that an access token of the client names. It refuses a token with
// another subject or client than the row. If the client may not have offline_access any more,
// its grants end with their session.
//
// storage.ErrNotFound: the grant or the token is not valid any more.
func (t *Tokens) LiveGrant(ctx context.Context, access keys.AccessToken, client storage.Client, at time.Time) (storage.Grant, storage.User, error) {
	read := t.DB.LiveGrant
	if !request.MayAsk(client, request.ScopeOfflineAccess) {
		read = t.DB.LiveOnlineGrant
	}
	grant, user, err := read(ctx, access.GrantID, access.ID, at)
	if err == nil && grant.ClientID != access.ClientID {
		err = storage.ErrNotFound
	}
	if err == nil {
		err = t.Subjects.CheckGrant(client, grant, access.Subject)
	}
	return grant, user, err
}

// NarrowAccess narrows an access token to the audience and scope that its client may have now,
// and checks in the database that the grant is live. For a service token, which has no grant,
// it checks the client and the revocation of the token.
//
// storage.ErrNotFound: nothing remains, or the grant or the token is not valid any more.
func (t *Tokens) NarrowAccess(ctx context.Context, access keys.AccessToken, client storage.Client, at time.Time) (keys.AccessToken, error) {
	audience := slices.DeleteFunc(slices.Clone(access.Audience), func(aud string) bool { return !t.mayTarget(client, aud) })
	if access.Audience = audience; len(audience) == 0 {
		return access, storage.ErrNotFound
	}
	if access.GrantID == "" {
		return t.narrowServiceToken(ctx, access, client)
	}
	scopes := allowedScopes(access, client)
	if len(scopes) == 0 && access.Scope != "" {
		return access, storage.ErrNotFound
	}
	access.Scope = joinScopes(scopes)
	if !slices.Contains(scopes, request.ScopeRoles) {
		access.Roles = nil
	}
	if !slices.Contains(scopes, request.ScopeGroups) {
		access.Groups = nil
	}
	_, _, err := t.LiveGrant(ctx, access, client, at)
	return access, err
}

// mayTarget reports whether a token of the client may have the audience.
func (t *Tokens) mayTarget(client storage.Client, audience string) bool {
	if audience == storage.AdminAudience(t.Issuer) {
		return client.AdminAPI
	}
	return audience == t.Issuer || slices.Contains(client.Resources, audience) || client.FirstParty && audience == t.FirstPartyAudience(client)
}

// allowedScopes returns the scopes of an access token that its client may still have.
func allowedScopes(access keys.AccessToken, client storage.Client) []string {
	return request.Rights{Scopes: strings.Fields(access.Scope)}.NarrowedTo(client).Scopes
}

func (t *Tokens) narrowServiceToken(ctx context.Context, access keys.AccessToken, client storage.Client) (keys.AccessToken, error) {
	if len(client.OwnGrantTypes()) == 0 {
		return access, storage.ErrNotFound
	}
	allowed := strings.Fields(client.Metadata.Scope)
	left := slices.DeleteFunc(strings.Fields(access.Scope), func(scope string) bool {
		return !slices.Contains(allowed, scope) || storage.IsAdminScope(scope) && !client.AdminAPI
	})
	if len(left) == 0 && access.Scope != "" {
		return access, storage.ErrNotFound
	}
	access.Scope = joinScopes(left)
	revoked, err := t.DB.IsTokenRevoked(ctx, access.ID, storage.Millis(access.IssuedAt*1000))
	if err == nil && revoked {
		err = storage.ErrNotFound
	}
	return access, err
}
