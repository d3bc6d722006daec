package provider

import (
	"context"
	"errors"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"signet/provider/keys"
	"signet/provider/web"
	"signet/storage"
)

// Revocation serves the revocation endpoint (RFC 7009). An access token dies
// alone; a refresh token takes its grant, and every token of it, along. A token
// that is unknown, dead or another client's gets the same 200 and no effect;
// token_type_hint is ignored.
func (s *server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	client := clientOf(r.Client)
	at := s.Now()
	origin := web.TraceOf(ctx).Origin()
	var err error
	if access, openErr := s.ring.VerifyAccess(r.Data.Token, at); openErr == nil {
		if access.ClientID == client.ID {
			err = s.db.RevokeToken(ctx, access.ID, client.ID, access.GrantID, storage.Millis(access.Expires+skew)*1000, origin, at)
		}
	} else if refresh, openErr := s.ring.OpenRefresh(r.Data.Token, at); openErr == nil || errors.Is(openErr, keys.ErrExpired) {
		if refresh.ClientID == client.ID {
			err = s.db.RevokeGrant(ctx, refresh.GrantID, "revoked", origin, at)
		}
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, oauthError(ctx, err)
	}
	return op.NewResponse(nil), nil
}

// skew is how many seconds past its expiry a token may still be accepted
// somewhere: a revocation must be remembered for that long.
const skew = 60
