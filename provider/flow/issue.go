package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/keys"
	"signet/provider/request"
	"signet/storage"
)

// tokenResponse is a successful answer of the token endpoint (RFC 6749, section
// 5.1; OIDC Core, section 3.1.3.3).
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token,omitempty"`
}

// issuance is what one answer carries of what a grant allows.
type issuance struct {
	request.Rights        // the grant's or fewer; Resources are the audiences, none: this provider alone
	named          bool   // the token request itself names the resources: no others (RFC 8707, section 2.2)
	nonce          string // of the authorization request; a refreshed ID token has none
}

// issue makes the tokens of a grant. Signing stands outside every transaction:
// a failed signature costs a sign-in, never a token that nothing stands for.
func (p *Provider) issue(ctx context.Context, client storage.Client, grant storage.Grant, what issuance, at time.Time) (tokenResponse, error) {
	user, err := p.userOf(ctx, grant.UserID, what)
	if err != nil {
		return tokenResponse{}, err
	}
	signed, err := p.accessToken(grant, user, what.Scopes, p.audience(what), at)
	if err != nil {
		return tokenResponse{}, err
	}
	response := tokenResponse{
		AccessToken: signed, TokenType: oidc.BearerToken,
		ExpiresIn: int64(p.Lifetimes.Access.Seconds()), Scope: joined(what.Scopes),
	}
	if slices.Contains(what.Scopes, oidc.ScopeOpenID) {
		if response.IDToken, err = p.idToken(client, grant, user, what, signed, at); err != nil {
			return tokenResponse{}, err
		}
	}
	if slices.Contains(client.Metadata.GrantTypes, string(oidc.GrantTypeRefreshToken)) {
		if response.RefreshToken, err = p.refreshToken(grant); err != nil {
			return tokenResponse{}, fmt.Errorf("sign refresh token: %w", err)
		}
	}
	return response, nil
}

// accessToken makes the access token of a grant for these scopes and audiences. Of
// the user only what the scopes release must be there.
func (p *Provider) accessToken(grant storage.Grant, user storage.User, scopes, audience []string, at time.Time) (string, error) {
	access := keys.AccessToken{
		Subject: grant.UserID, Audience: audience, ClientID: grant.ClientID,
		Scope: joined(scopes), ID: rand.Text(), GrantID: grant.ID, SessionID: grant.SessionID,
		AuthTime: grant.AuthTime.Unix(), ACR: grant.ACR, AMR: grant.AMR,
		IssuedAt: at.Unix(), Expires: at.Add(p.Lifetimes.Access).Unix(),
	}
	if slices.Contains(scopes, request.ScopeRoles) {
		access.Roles = user.Roles
	}
	if slices.Contains(scopes, request.ScopeGroups) {
		access.Groups = user.Groups
	}
	signed, err := p.ring.SignAccess(accessAlg(p.ring.Algorithms()), access)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

func joined(scopes []string) string { return strings.Join(scopes, " ") }

// userOf reads the user where a token says more of it than its subject.
func (p *Provider) userOf(ctx context.Context, id string, what issuance) (storage.User, error) {
	if len(what.Claims) == 0 && !slices.Contains(what.Scopes, request.ScopeRoles) && !slices.Contains(what.Scopes, request.ScopeGroups) {
		return storage.User{ID: id}, nil
	}
	user, err := p.db.User(ctx, id)
	if err != nil {
		return storage.User{}, fmt.Errorf("read user: %w", err)
	}
	return user, nil
}

// audience: the resources asked for, and this provider for /userinfo unless the
// token request names others; exactly this provider when none was asked for.
func (p *Provider) audience(what issuance) []string {
	audience := slices.Clone(what.Resources)
	if len(audience) == 0 || !what.named && slices.Contains(what.Scopes, oidc.ScopeOpenID) {
		audience = append(audience, p.Issuer)
	}
	return audience
}

// idToken makes the ID token (OIDC Core, section 2). With the code flow, the
// claims of the scopes stay at userinfo; it carries those asked for one by one.
func (p *Provider) idToken(client storage.Client, grant storage.Grant, user storage.User, what issuance, accessToken string, at time.Time) (string, error) {
	alg := client.IDTokenAlg()
	token := keys.IDToken{
		Subject: grant.UserID, Audience: client.ID, SessionID: grant.SessionID,
		AuthTime: grant.IDTokenAuthTime().Unix(), ACR: grant.ACR, AMR: grant.AMR,
		AtHash:   keys.HalfHash(alg, accessToken),
		IssuedAt: at.Unix(), Expires: at.Add(p.Lifetimes.ID).Unix(),
		Nonce: what.nonce, Claims: requestedClaims(string(what.Claims), visibleTo(client, user)).IDToken,
	}
	signed, err := p.ring.SignID(alg, token)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return signed, nil
}

// accessAlg prefers ES256: an RS256 signature costs twenty times as much.
func accessAlg(available []string) string {
	if slices.Contains(available, "ES256") {
		return "ES256"
	}
	return available[0]
}
