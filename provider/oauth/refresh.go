package oauth

import (
	"context"
	"errors"
	"strings"

	"signet/federation/foreign"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// refreshGrant serves grant_type=refresh_token (RFC 6749, section 6).
//
// An expired token reaches storage too, because the replay of an old token must end its
// grant at any later time. Only the row of the grant decides whether it may rotate.
func (h *Handler) refreshGrant(ctx context.Context, r tokenRequest) (tokenResponse, error) {
	if r.form.Get("refresh_token") == "" {
		return tokenResponse{}, errNoRefreshToken
	}
	at := h.Now()
	token, err := h.Ring.OpenRefresh(r.form.Get("refresh_token"), at)
	if err != nil && !errors.Is(err, keys.ErrExpired) {
		return tokenResponse{}, web.Because("unknown_refresh_token", err)
	}
	trace := web.TraceOf(ctx)
	trace.NoteGrant(storage.Grant{ID: token.GrantID, UserID: storage.UserIDIn(token.Subject), ClientID: token.ClientID})
	if token.ClientID != r.client.ID {
		return tokenResponse{}, errForeignToken
	}
	rotation := storage.GrantRotation{
		GrantID: token.GrantID, Generation: token.Generation, ClientID: r.client.ID, CheckSubject: h.checkSubject(r.client, token),
		Grace: h.Tokens.Grace(r.client), Online: !request.MayAsk(r.client, request.ScopeOfflineAccess), From: trace.Origin(),
	}
	var issuance flow.Issuance
	grant, err := h.DB.RotateGrant(ctx, rotation, func(g storage.Grant) error {
		if g.FirstParty {
			return web.Because("first_party_grant", errForeignToken) // the first-party app refreshes with its cookie only
		}
		var err error
		issuance, err = flow.NarrowGrant(g, r.client, foreign.Distinct(strings.Fields(r.form.Get("scope"))), r.form["resource"])
		return err
	}, at)
	if err != nil {
		return tokenResponse{}, err
	}
	return newTokenResponse(h.Tokens.Issue(ctx, r.client, grant, issuance, at))
}

// checkSubject returns the check that a refresh token has the subject of its grant.
func (h *Handler) checkSubject(client storage.Client, token keys.RefreshToken) func(storage.Grant) error {
	return func(g storage.Grant) error { return h.Tokens.Subjects.CheckGrant(client, g, token.Subject) }
}
