package provider

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/provider/keys"
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
		return tokenResponse{}, err
	}
	if token.ClientID != r.client.ID {
		return tokenResponse{}, errForeignToken
	}
	var what issuance
	grant, err := p.db.RotateGrant(ctx, storage.Rotation{
		GrantID: token.GrantID, Generation: token.Generation, UserID: token.Subject, ClientID: r.client.ID,
		Grace: p.grace(r.client), From: web.TraceOf(ctx).Origin(),
	}, func(g storage.Grant) error {
		var err error
		what, err = narrowedBy(g, r.form)
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

// narrowedBy reads what a refresh request wants of a grant: fewer scopes and
// resources, never more (RFC 6749, section 6; RFC 8707, section 2.2). The grant
// itself keeps all of them for the next time.
func narrowedBy(g storage.Grant, form url.Values) (issuance, error) {
	what := issuance{scopes: g.Scopes, named: form.Has("resource")}
	if g.FirstParty {
		return what, errForeignToken // its channel is the cookie, never this endpoint
	}
	if form.Has("scope") {
		what.scopes = strings.Fields(form.Get("scope"))
		for _, scope := range what.scopes {
			if !slices.Contains(g.Scopes, scope) {
				return what, errScopeWidened
			}
		}
	}
	var err error
	what.resources, err = narrowed(g.Resources, form["resource"])
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
