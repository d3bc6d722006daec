package keys

import (
	"encoding/json"
	"fmt"
	"time"

	"signet/storage"
)

// AccessToken is the content of an access token (RFC 9068).
type AccessToken struct {
	Subject   string
	Audience  []string
	ClientID  string
	Scope     string // space separated
	ID        string // jti
	GrantID   string // gid; "" for a client's own token
	SessionID string // sid
	AuthTime  int64  // Unix seconds; 0: absent
	ACR       string
	AMR       []string
	Roles     []string
	Groups    []string
	IssuedAt  int64 // Unix seconds
	Expires   int64 // Unix seconds
}

// accessClaims is the payload of the token. The audience is always a list.
type accessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  []string `json:"aud"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	ID        string   `json:"jti"`
	GrantID   string   `json:"gid,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	IssuedAt  int64    `json:"iat"`
	Expires   int64    `json:"exp"`
}

// complete reports whether every claim is there that RFC 9068, section 2.2, requires.
func (c *accessClaims) complete() bool {
	return c.Subject != "" && len(c.Audience) > 0 && c.ClientID != "" && c.ID != "" &&
		c.IssuedAt > 0 && c.Expires > c.IssuedAt
}

// SignAccess makes an access token (typ at+jwt, iss the ring's issuer) with the
// active key of that algorithm. A token without subject, audience, client, jti or
// a life of its own is refused, as is one of more than 8 KiB. ErrNoKey.
func (r *Ring) SignAccess(alg string, t AccessToken) (string, error) {
	claims := accessClaims{
		r.issuer, t.Subject, t.Audience, t.ClientID, t.Scope, t.ID, t.GrantID, t.SessionID,
		t.AuthTime, t.ACR, t.AMR, t.Roles, t.Groups, t.IssuedAt, t.Expires,
	}
	if !claims.complete() {
		return "", fmt.Errorf("sign access token: a required claim is missing")
	}
	payload, err := json.Marshal(&claims)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	token, err := r.signed(alg, func(k *signingKey) string { return k.accessID }, payload)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return token, nil
}

// VerifyAccess opens an access token of ours. It checks signature, typ, iss,
// algorithm and expiry. It checks neither the audience nor whether the grant lives.
//
// ErrInvalid; ErrExpired from the second it expires at.
func (r *Ring) VerifyAccess(token string, at time.Time) (AccessToken, error) {
	var c accessClaims
	if !r.openAccess(token, &c) || c.Issuer != r.issuer || !c.complete() || issuedTooLate(c.IssuedAt, at) {
		return AccessToken{}, fmt.Errorf("verify access token: %w", ErrInvalid)
	}
	if at.Unix() >= c.Expires {
		return AccessToken{}, fmt.Errorf("verify access token: %w", ErrExpired)
	}
	return AccessToken{
		c.Subject, c.Audience, c.ClientID, c.Scope, c.ID, c.GrantID, c.SessionID,
		c.AuthTime, c.ACR, c.AMR, c.Roles, c.Groups, c.IssuedAt, c.Expires,
	}, nil
}

func (r *Ring) openAccess(token string, c *accessClaims) bool {
	p, ok := split(token)
	if !ok {
		return false
	}
	if r.inUse.Load().refresh[p.header] != nil {
		return false // a refresh token: no key is missing, so none is looked for
	}
	s, k := lookUp(r, func(s *keySet) *signingKey { return s.access[p.header] })
	if k == nil {
		return false
	}
	if !s.verified.has(token) {
		if !k.verify(p) {
			return false
		}
		s.verified.add(token)
	}
	return decodeClaims(p.payload, c)
}

// signed makes a token with the active key of an algorithm. If a key in a module does not
// sign, another node may have revoked it and destroyed it there a moment ago: the keys
// are read again, and the one that is active now signs. ErrNoKey.
func (r *Ring) signed(alg string, header func(*signingKey) string, payload []byte) (string, error) {
	set := r.inUse.Load()
	k, err := r.signer(set, alg)
	if err != nil {
		return "", err
	}
	token, err := compose(header(k), payload, k.SignatureSize(), k.Sign)
	if err == nil || !k.IsInModule() || !r.replaced(set) {
		return token, err
	}
	if k, err = r.signer(r.inUse.Load(), alg); err != nil {
		return "", err
	}
	return compose(header(k), payload, k.SignatureSize(), k.Sign)
}

func (k *signingKey) verify(p parts) bool {
	signature, ok := decodeSegment(p.signature)
	return ok && k.Verify([]byte(p.input), signature)
}

// decodeClaims reads a payload whose signature is verified. We wrote it, so it does not
// matter that encoding/json is lenient about names.
func decodeClaims(payload string, claims any) bool {
	raw, ok := decodeSegment(payload)
	return ok && json.Unmarshal(raw, claims) == nil
}

// issuedTooLate reports whether a token was issued further in the future than the clocks
// of nodes may differ.
func issuedTooLate(issuedAt int64, at time.Time) bool {
	return issuedAt > at.Add(storage.MaxClockSkew).Unix()
}
