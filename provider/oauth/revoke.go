package oauth

import (
	"context"
	"errors"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// revoke serves the revocation endpoint (RFC 7009). Revoking an access token ends only that
// token. Revoking a refresh token ends its grant and all tokens of the grant. For a token
// that is unknown, invalid or issued to another client, the answer is the same 200 and
// nothing happens. token_type_hint is ignored.
func (h *Handler) revoke(ctx context.Context, r tokenRequest) (any, error) {
	token := r.form.Get("token")
	if token == "" {
		return nil, errNoToken
	}
	at := h.Now()
	by := web.TraceOf(ctx).By(at)
	var err error
	if access, openErr := h.Ring.VerifyAccess(token, at); openErr == nil {
		if !noteIfForeign(ctx, r.client.ID, storage.Grant{ID: access.GrantID, UserID: storage.UserIDIn(access.Subject), ClientID: access.ClientID}) {
			err = h.DB.RevokeToken(ctx, storage.TokenRevocation{
				JTI: access.ID, ClientID: r.client.ID, GrantID: access.GrantID, Expires: storage.Millis(access.Expires * 1000).Add(storage.MaxClockSkew),
			}, by)
		}
	} else if refresh, openErr := h.Ring.OpenRefresh(token, at); openErr == nil || errors.Is(openErr, keys.ErrExpired) {
		if !noteIfForeign(ctx, r.client.ID, storage.Grant{ID: refresh.GrantID, UserID: storage.UserIDIn(refresh.Subject), ClientID: refresh.ClientID}) {
			err = h.DB.RevokeGrant(ctx, refresh.GrantID, "revoked", by)
		}
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return nil, nil
}

// noteIfForeign reports whether a client presents a token that was issued to another client.
// If so, it notes this for the log and the audit events. The answer does not show it.
func noteIfForeign(ctx context.Context, clientID string, of storage.Grant) bool {
	if of.ClientID == clientID {
		return false
	}
	trace := web.TraceOf(ctx)
	trace.NoteGrant(of)
	trace.Refuse(because("foreign_token", "the token was issued to another client"))
	return true
}
