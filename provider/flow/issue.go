package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/storage"
)

// Issued holds the tokens of one answer.
type Issued struct {
	Access      string
	Scope       string        // of the access token, separated by spaces
	Life        time.Duration // of the access token
	Refresh     string        // "" if the client is not registered for refresh tokens
	RefreshLife time.Duration // until the refresh token expires if it is not used
	ID          string        // "" without the scope openid
}

// Issue makes the tokens of a grant. It signs outside of every transaction: if signing fails,
// the sign-in is lost, but there is never a token without a grant.
func (t *Tokens) Issue(ctx context.Context, client storage.Client, grant storage.Grant, issuance Issuance, at time.Time) (Issued, error) {
	user, err := t.userOf(ctx, client, grant.UserID, issuance)
	if err != nil {
		return Issued{}, err
	}
	sub, err := t.Subjects.OfGrant(client, grant)
	if err != nil {
		return Issued{}, err
	}
	visible := VisibleTo(client, user)
	access := t.accessToken(sub, grant, visible, issuance.Scopes, audienceOf(t.Issuer, issuance), at)
	issued := Issued{Scope: access.Scope, Life: t.Lifetimes.Access}
	if issued.Access, err = t.signAccess(access); err != nil {
		return Issued{}, err
	}
	if slices.Contains(issuance.Scopes, request.ScopeOpenID) {
		alg := client.IDTokenAlg()
		id := t.idToken(sub, client, grant, at)
		id.AtHash, id.Nonce = keys.HalfHash(alg, issued.Access), issuance.Nonce
		id.Claims = idTokenClaims(issuance.Rights, scopesInIDToken(client, storage.ResponseType{Code: true}, issuance.Scopes), visible)
		if err := CheckLists(id.Claims); err != nil {
			return Issued{}, fmt.Errorf("make ID token: %w", err)
		}
		if issued.ID, err = t.Ring.SignID(alg, id); err != nil {
			return Issued{}, fmt.Errorf("sign ID token: %w", err)
		}
	}
	if slices.Contains(client.Metadata.GrantTypes, storage.GrantRefresh) {
		if issued.Refresh, err = t.refreshToken(sub, grant); err != nil {
			return Issued{}, err
		}
		issued.RefreshLife = max(0, time.Duration(refreshEnd(grant).Unix()-at.Unix())*time.Second)
	}
	return issued, nil
}

// userOf reads the user if a token contains more of the user than the subject.
func (t *Tokens) userOf(ctx context.Context, client storage.Client, id string, issuance Issuance) (storage.User, error) {
	if len(issuance.Claims) == 0 && !client.Metadata.ClaimsInIDToken && !slices.Contains(issuance.Scopes, request.ScopeRoles) && !slices.Contains(issuance.Scopes, request.ScopeGroups) {
		return storage.User{ID: id}, nil
	}
	user, err := t.DB.User(ctx, id)
	if err != nil {
		return storage.User{}, fmt.Errorf("read user: %w", err)
	}
	return user, nil
}

// audienceOf returns the audience of an access token: the requested resources, and the issuer
// (for /userinfo) unless the token request itself names resources. Without resources it is the
// issuer alone.
func audienceOf(issuer string, issuance Issuance) []string {
	audience := slices.Clone(issuance.Resources)
	if len(audience) == 0 || !issuance.Named && slices.Contains(issuance.Scopes, request.ScopeOpenID) {
		audience = append(audience, issuer)
	}
	return audience
}

// AccessToken makes an access token of a grant of the client, for the scopes and audiences. user
// needs only the fields that the scopes release.
func (t *Tokens) AccessToken(client storage.Client, grant storage.Grant, user storage.User, scopes, audience []string, at time.Time) (string, error) {
	sub, err := t.Subjects.OfGrant(client, grant)
	if err != nil {
		return "", err
	}
	return t.signAccess(t.accessToken(sub, grant, VisibleTo(client, user), scopes, audience, at))
}

func (t *Tokens) accessToken(sub string, grant storage.Grant, v Visible, scopes, audience []string, at time.Time) keys.AccessToken {
	access := keys.AccessToken{
		Subject: sub, Audience: foreign.Distinct(audience), ClientID: grant.ClientID,
		Scope: joinScopes(scopes), ID: rand.Text(), GrantID: grant.ID, SessionID: grant.SessionID,
		AuthTime: grant.AuthTime.Unix(), ACR: grant.ACR, AMR: grant.AMR,
		IssuedAt: at.Unix(), Expires: at.Add(t.Lifetimes.Access).Unix(),
	}
	access.Roles, access.Groups = accessTokenLists(scopes, v)
	return access
}

// ServiceToken makes an access token for the client itself (RFC 6749, section 4.4). It belongs
// to no person and no grant: it ends when it expires, when it is revoked, or when its client
// is disabled or deleted. Without resources its audience is this provider.
func (t *Tokens) ServiceToken(client storage.Client, scopes, resources []string, at time.Time) (Issued, error) {
	audience := slices.Clone(resources)
	if len(audience) == 0 {
		audience = []string{t.Issuer}
	}
	access := keys.AccessToken{
		Subject: client.ID, Audience: foreign.Distinct(audience), ClientID: client.ID, Scope: joinScopes(scopes), ID: rand.Text(),
		IssuedAt: at.Unix(), Expires: at.Add(t.Lifetimes.Access).Unix(),
	}
	signed, err := t.signAccess(access)
	return Issued{Access: signed, Scope: access.Scope, Life: t.Lifetimes.Access}, err
}

// signAccess signs an access token. *ListTooLongError: its roles or groups are too long.
func (t *Tokens) signAccess(access keys.AccessToken) (string, error) {
	if err := cmp.Or(checkList("roles", access.Roles), checkList("groups", access.Groups)); err != nil {
		return "", fmt.Errorf("make access token: %w", err)
	}
	signed, err := t.Ring.SignAccess(accessAlg(t.Ring.Algorithms()), access)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// accessAlg returns the algorithm for access tokens: ES256 if it is available, since an RS256
// signature costs twenty times as much.
func accessAlg(available []string) string {
	if slices.Contains(available, "ES256") {
		return "ES256"
	}
	return available[0]
}

// idToken is the ID token of a grant (OIDC Core, section 2) as far as the grant says. With
// the code flow, the claims of the scopes stay at userinfo; it carries those asked for
// one by one.
func (t *Tokens) idToken(sub string, client storage.Client, grant storage.Grant, at time.Time) keys.IDToken {
	return keys.IDToken{
		Subject: sub, Audience: client.ID, SessionID: grant.SessionID,
		AuthTime: grant.IDTokenAuthTime().Unix(), ACR: grant.ACR, AMR: grant.AMR,
		IssuedAt: at.Unix(), Expires: at.Add(t.Lifetimes.ID).Unix(),
	}
}

// RefreshToken returns the refresh token of the grant's current generation. It is a pure
// function of the row and the client: the same generation always gives the same bytes.
func (t *Tokens) RefreshToken(client storage.Client, g storage.Grant) (string, error) {
	sub, err := t.Subjects.OfGrant(client, g)
	if err != nil {
		return "", err
	}
	return t.refreshToken(sub, g)
}

func (t *Tokens) refreshToken(sub string, g storage.Grant) (string, error) {
	signed, err := t.Ring.SignRefresh(keys.RefreshToken{
		Subject: sub, ClientID: g.ClientID, GrantID: g.ID, Generation: g.Generation,
		IssuedAt: g.RotatedAt.Unix(), Expires: refreshEnd(g).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("sign refresh token: %w", err)
	}
	return signed, nil
}

// refreshEnd returns when the refresh token of the grant's current generation expires.
func refreshEnd(g storage.Grant) storage.Millis { return min(g.IdleExpiresAt, g.ExpiresAt) }

// joinScopes writes scopes as tokens and answers contain them, without duplicates.
func joinScopes(scopes []string) string { return strings.Join(foreign.Distinct(scopes), " ") }
