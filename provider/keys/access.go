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

// complete reports whether the token has every claim that RFC 9068, section 2.2, requires.
func (c *accessClaims) complete() bool {
	return c.Subject != "" && len(c.Audience) > 0 && c.ClientID != "" && c.ID != "" &&
		c.IssuedAt > 0 && c.Expires > c.IssuedAt
}

// SignAccess signs an access token (typ at+jwt, iss the ring's issuer) with the active
// key of that algorithm. It refuses a token without subject, audience, client or jti, a
// token that expires before it is issued, and a token of more than 8 KiB.
//
// ErrNoKey: the algorithm is not configured or has no active key.
func (r *Ring) SignAccess(alg string, t AccessToken) (string, error) {
	claims := accessClaims{
		r.issuer, t.Subject, t.Audience, t.ClientID, t.Scope, t.ID, t.GrantID, t.SessionID,
		t.AuthTime, t.ACR, t.AMR, t.Roles, t.Groups, t.IssuedAt, t.Expires,
	}
	if !claims.complete() {
		return "", fmt.Errorf("sign access token: subject, audience, client, jti, iat or exp is missing or invalid")
	}
	payload, err := json.Marshal(&claims)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	token, err := r.signWithActive(alg, func(k *signingKey) string { return k.accessID }, payload)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return token, nil
}

// VerifyAccess returns the content of an access token that this issuer signed. It checks
// signature, typ, iss, algorithm and expiry. It does not check the audience, nor whether
// the grant is revoked.
//
// ErrInvalid; ErrExpired from the second of the exp claim on.
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
		return false // a refresh token: its key is known, so the database is not read again
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

// signWithActive signs a token with the active key of an algorithm. If a key in a module
// does not sign, another node may have just revoked the key and destroyed it there. Then
// signWithActive reads the keys again and signs with the key that is active now. ErrNoKey.
func (r *Ring) signWithActive(alg string, header func(*signingKey) string, payload []byte) (string, error) {
	set := r.inUse.Load()
	k, err := r.signer(set, alg)
	if err != nil {
		return "", err
	}
	token, err := compose(header(k), payload, k.SignatureSize(), k.Sign)
	if err == nil || !k.IsInModule() || !r.reloadReplaces(set) {
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

// decodeClaims decodes the payload of a token. The caller has verified the signature, so
// this issuer wrote the payload: it does no harm that encoding/json accepts other spellings
// of member names.
func decodeClaims(payload string, claims any) bool {
	raw, ok := decodeSegment(payload)
	return ok && json.Unmarshal(raw, claims) == nil
}

// issuedTooLate reports whether the iat claim is further in the future than the clocks of
// two nodes may differ.
func issuedTooLate(issuedAt int64, at time.Time) bool {
	return issuedAt > at.Add(storage.MaxClockSkew).Unix()
}
