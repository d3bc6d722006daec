package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// refreshGrant serves grant_type=refresh_token (RFC 6749, section 6).
//
// An expired token goes to storage too: that an old generation of a living grant
// comes back has to be noticed, however late. Whether it may rotate is decided by
// the row alone.
func (p *Provider) refreshGrant(ctx context.Context, r tokenRequest) (tokenResponse, error) {
	if r.form.Get("refresh_token") == "" {
		return tokenResponse{}, errNoRefreshToken
	}
	at := p.Now()
	token, err := p.ring.OpenRefresh(r.form.Get("refresh_token"), at)
	if err != nil && !errors.Is(err, keys.ErrExpired) {
		return tokenResponse{}, web.Because("unknown_refresh_token", err)
	}
	trace := web.TraceOf(ctx)
	trace.Grant(storage.Grant{ID: token.GrantID, UserID: token.Subject, ClientID: token.ClientID})
	if token.ClientID != r.client.ID {
		return tokenResponse{}, errForeignToken
	}
	var what issuance
	grant, err := p.db.RotateGrant(ctx, storage.Rotation{
		GrantID: token.GrantID, Generation: token.Generation, UserID: token.Subject, ClientID: r.client.ID,
		Grace: p.grace(r.client), Online: !request.MayAsk(r.client, request.ScopeOfflineAccess), From: trace.Origin(),
	}, func(g storage.Grant) error {
		var err error
		what, err = narrowedBy(g, r.client, r.form)
		return err
	}, at)
	if err != nil {
		return tokenResponse{}, err
	}
	return p.issue(ctx, r.client, grant, what, at)
}

// grace is how long a rotated token is answered again, for this client.
func (p *Provider) grace(client storage.Client) time.Duration {
	if client.RefreshGrace >= 0 {
		return client.RefreshGrace
	}
	return p.Lifetimes.RefreshGrace
}

// grantRights are the rights of a grant. One that counts as online, because its client
// lost offline_access once, does not get it back.
func grantRights(g storage.Grant) request.Rights {
	scopes := g.Scopes
	if !g.Offline && slices.Contains(scopes, request.ScopeOfflineAccess) {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == request.ScopeOfflineAccess })
	}
	return request.Rights{Scopes: scopes, Resources: g.Resources, Claims: json.RawMessage(g.Claims)}
}

// narrowedBy gives what a refresh request gets of a grant: what the client may have now,
// and of that what the request names. It may name fewer scopes and resources than were
// granted, never more (RFC 6749, section 6; RFC 8707, section 2.2); to name one that the
// client has lost is no mistake. The grant itself keeps all of them for the next time.
func narrowedBy(g storage.Grant, client storage.Client, form url.Values) (issuance, error) {
	if g.FirstParty {
		return issuance{}, web.Because("first_party_grant", errForeignToken) // its channel is the cookie, never this endpoint
	}
	left, err := leftOf(grantRights(g), client)
	if err != nil {
		return issuance{}, err
	}
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		for _, scope := range asked {
			if !slices.Contains(g.Scopes, scope) {
				return issuance{}, errScopeWidened
			}
		}
		if left = left.Only(asked); len(left.Scopes) == 0 {
			return issuance{}, errScopeLost
		}
	}
	what := issuance{Rights: left, named: form.Has("resource")}
	what.Resources, err = narrowed(left.Resources, form["resource"])
	return what, err
}

// refreshToken is the refresh token of a grant's generation: a pure function of
// the row, so that the same generation is answered with the same bytes.
func (p *Provider) refreshToken(g storage.Grant) (string, error) {
	return p.ring.SignRefresh(keys.RefreshToken{
		Subject: g.UserID, ClientID: g.ClientID, GrantID: g.ID, Generation: g.Generation,
		IssuedAt: g.RotatedAt.Unix(), Expires: min(g.IdleExpiresAt, g.ExpiresAt).Unix(),
	})
}
