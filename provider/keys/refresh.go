package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"signet/storage"
)

// RefreshToken is the content of a refresh token. It depends only on the row of the grant,
// so all tokens of one generation have the same bytes.
type RefreshToken struct {
	Subject    string
	ClientID   string
	GrantID    string
	Generation int64
	IssuedAt   int64 // Unix seconds
	Expires    int64 // Unix seconds
}

// refreshClaims is the payload of the token. Only this issuer reads it, so the audience is
// the issuer.
type refreshClaims struct {
	Issuer     string `json:"iss"`
	Audience   string `json:"aud"`
	Subject    string `json:"sub"`
	ClientID   string `json:"client_id"`
	GrantID    string `json:"gid"`
	Generation int64  `json:"gen"`
	ID         string `json:"jti"`
	IssuedAt   int64  `json:"iat"`
	Expires    int64  `json:"exp"`
}

func (c *refreshClaims) complete() bool {
	return c.Subject != "" && c.ClientID != "" && c.GrantID != "" && c.Generation > 0 &&
		c.IssuedAt > 0 && c.Expires > c.IssuedAt
}

// SignRefresh makes a refresh token (typ rt+jwt, HS256 with the active secret of the
// internal line, jti derived from grant and generation). ErrNoKey.
//
// The same content gives the same bytes while the same secret is active. If the secret
// rotates between two answers for one generation, the second token has other bytes but
// names the same grant and generation. Both tokens open. The first one that is used
// rotates the row of the grant, and the row decides about both: there is no fork.
func (r *Ring) SignRefresh(t RefreshToken) (string, error) {
	k := r.inUse.Load().secret
	if k == nil {
		return "", fmt.Errorf("sign refresh token: %w", NoKey(storage.InternalLine))
	}
	claims := refreshClaims{
		r.issuer, r.issuer, t.Subject, t.ClientID, t.GrantID, t.Generation,
		refreshID(t.GrantID, t.Generation), t.IssuedAt, t.Expires,
	}
	if !claims.complete() {
		return "", errors.New("sign refresh token: subject, client, grant, generation, iat or exp is missing or invalid")
	}
	payload, err := json.Marshal(&claims)
	if err != nil {
		return "", fmt.Errorf("sign refresh token: %w", err)
	}
	token, err := compose(k.refreshHeader, payload, sha256.Size, k.sign)
	if err != nil {
		return "", fmt.Errorf("sign refresh token: %w", err)
	}
	return token, nil
}

// OpenRefresh returns the content of a refresh token that this issuer made. It does not
// check that the grant is still valid, nor that subject, client and generation match the
// row of the grant.
//
// ErrInvalid; ErrExpired: the content is returned too, since the replay of an expired token
// must still be detected.
func (r *Ring) OpenRefresh(token string, at time.Time) (RefreshToken, error) {
	c, ok := r.openRefresh(token)
	if !ok || c.Issuer != r.issuer || c.Audience != r.issuer || !c.complete() || issuedTooLate(c.IssuedAt, at) {
		return RefreshToken{}, fmt.Errorf("open refresh token: %w", ErrInvalid)
	}
	t := RefreshToken{c.Subject, c.ClientID, c.GrantID, c.Generation, c.IssuedAt, c.Expires}
	if at.Unix() >= c.Expires {
		return t, fmt.Errorf("open refresh token: %w", ErrExpired)
	}
	return t, nil
}

func (r *Ring) openRefresh(token string) (c refreshClaims, ok bool) {
	p, ok := split(token)
	if !ok {
		return c, false
	}
	_, k := lookUp(r, func(s *keySet) *secret { return s.refresh[p.header] })
	ok = k != nil && k.verify(p) && decodeClaims(p.payload, &c)
	return c, ok
}

func (k *secret) sign(input []byte) ([]byte, error) { return k.mac(input), nil }

func (k *secret) verify(p parts) bool {
	signature, ok := decodeSegment(p.signature)
	return ok && hmac.Equal(signature, k.mac([]byte(p.input)))
}

func (k *secret) mac(input []byte) []byte {
	h := hmac.New(sha256.New, k.refreshKey)
	h.Write(input)
	return h.Sum(nil)
}

// refreshID returns the jti. It depends only on grant and generation.
func refreshID(grantID string, generation int64) string {
	sum := sha256.Sum256([]byte(grantID + "\x00" + strconv.FormatInt(generation, 10)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
