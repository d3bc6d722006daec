package flow

import (
	"fmt"
	"time"

	"signet/provider/keys"
	"signet/provider/request"
	"signet/storage"
)

// frontChannelLife is the longest life of an access token in an authorization response. Such a
// token passes through the browser and its history, and no secret of the client protects it.
const frontChannelLife = 5 * time.Minute

// FrontChannel describes the tokens of one authorization response (OIDC Core, sections 3.2.2.5
// and 3.3.2.5).
type FrontChannel struct {
	Type   storage.ResponseType
	Rights request.Rights
	Nonce  string
	Code   string // the code of the same response; "" without one
}

// IssueFrontChannel makes the tokens of an authorization response for the user of the grant.
// There is never a refresh token.
//
// The ID token has at_hash and c_hash for the access token and the code beside it. It contains
// the claims of the scopes if the client gets no access token, with which it could read them at
// userinfo (OIDC Core, section 5.4), or has ClaimsInIDToken.
func (t *Tokens) IssueFrontChannel(client storage.Client, grant storage.Grant, user storage.User, f FrontChannel, at time.Time) (Issued, error) {
	var issued Issued
	sub, err := t.Subjects.OfGrant(client, grant)
	if err != nil {
		return Issued{}, err
	}
	visible := VisibleTo(client, user)
	if f.Type.Token {
		access := t.accessToken(sub, grant, visible, f.Rights.Scopes, audienceOf(t.Issuer, Issuance{Rights: f.Rights}), at)
		issued.Scope, issued.Life = access.Scope, min(t.Lifetimes.Access, frontChannelLife)
		access.Expires = at.Add(issued.Life).Unix()
		if issued.Access, err = t.signAccess(access); err != nil {
			return Issued{}, err
		}
	}
	if !f.Type.IDToken {
		return issued, nil
	}
	alg := client.IDTokenAlg()
	id := t.idToken(sub, client, grant, at)
	id.Nonce = f.Nonce
	if issued.Access != "" {
		id.AtHash = keys.HalfHash(alg, issued.Access)
	}
	if f.Code != "" {
		id.CHash = keys.HalfHash(alg, f.Code)
	}
	id.Claims = idTokenClaims(f.Rights, scopesInIDToken(client, f.Type, f.Rights.Scopes), visible)
	if err := CheckLists(id.Claims); err != nil {
		return Issued{}, fmt.Errorf("make ID token: %w", err)
	}
	if issued.ID, err = t.Ring.SignID(alg, id); err != nil {
		return Issued{}, fmt.Errorf("sign ID token: %w", err)
	}
	return issued, nil
}

// scopesInIDToken returns the scopes whose claims are in the ID token: all of them if the client gets
// no access token with this response type, or is set to read nothing but ID tokens, and none otherwise.
func scopesInIDToken(client storage.Client, t storage.ResponseType, scopes []string) []string {
	if client.Metadata.ClaimsInIDToken || !t.Code && !t.Token {
		return scopes
	}
	return nil
}
