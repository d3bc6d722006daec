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

// LiveGrant reads the grant that an access token of the client names. The row is the
// truth: a token whose subject or client differ from it is refused. The grant of a client
// that may not have offline_access any more lives as long as its session.
//
// storage.ErrNotFound: the grant is dead, or the token is.
func (t *Tokens) LiveGrant(ctx context.Context, access keys.AccessToken, client storage.Client, at time.Time) (storage.Grant, storage.User, error) {
	read := t.DB.LiveGrant
	if !request.MayAsk(client, request.ScopeOfflineAccess) {
		read = t.DB.LiveOnlineGrant
	}
	grant, user, err := read(ctx, access.GrantID, access.ID, at)
	if err == nil && (grant.UserID != access.Subject || grant.ClientID != access.ClientID) {
		err = storage.ErrNotFound
	}
	return grant, user, err
}

// StillGood gives what is left of an access token: it narrows audience and scope to what
// its client may have now, and asks the row, of the grant or, for a client's own token,
// whether token and client still stand.
//
// storage.ErrNotFound: nothing is left, or the grant is dead.
func (t *Tokens) StillGood(ctx context.Context, access keys.AccessToken, client storage.Client, at time.Time) (keys.AccessToken, error) {
	audience := slices.DeleteFunc(slices.Clone(access.Audience), func(aud string) bool { return !t.mayTarget(client, aud) })
	if access.Audience = audience; len(audience) == 0 {
		return access, storage.ErrNotFound
	}
	if access.GrantID == "" {
		return t.serviceTokenLeft(ctx, access, client)
	}
	scopes := scopesLeft(access, client)
	if len(scopes) == 0 && access.Scope != "" {
		return access, storage.ErrNotFound
	}
	access.Scope = joined(scopes)
	if !slices.Contains(scopes, request.ScopeRoles) {
		access.Roles = nil
	}
	if !slices.Contains(scopes, request.ScopeGroups) {
		access.Groups = nil
	}
	_, _, err := t.LiveGrant(ctx, access, client, at)
	return access, err
}

// mayTarget reports whether a token of the client may be meant for that audience.
func (t *Tokens) mayTarget(client storage.Client, audience string) bool {
	return audience == t.Issuer || slices.Contains(client.Resources, audience) || client.FirstParty && audience == t.FirstPartyAudience(client)
}

// scopesLeft are the scopes of an access token that its client may still have.
func scopesLeft(access keys.AccessToken, client storage.Client) []string {
	return request.Rights{Scopes: strings.Fields(access.Scope)}.NarrowedTo(client).Scopes
}

func (t *Tokens) serviceTokenLeft(ctx context.Context, access keys.AccessToken, client storage.Client) (keys.AccessToken, error) {
	if len(client.OwnGrantTypes()) == 0 {
		return access, storage.ErrNotFound
	}
	allowed := strings.Fields(client.Metadata.Scope)
	left := slices.DeleteFunc(strings.Fields(access.Scope), func(scope string) bool { return !slices.Contains(allowed, scope) })
	if len(left) == 0 && access.Scope != "" {
		return access, storage.ErrNotFound
	}
	access.Scope = joined(left)
	revoked, err := t.DB.IsTokenRevoked(ctx, access.ID, storage.Millis(access.IssuedAt*1000))
	if err == nil && revoked {
		err = storage.ErrNotFound
	}
	return access, err
}
