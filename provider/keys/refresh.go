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

// RefreshToken is the content of a refresh token: a pure function of the grant
// row, so that one generation is the same bytes.
type RefreshToken struct {
	Subject    string
	ClientID   string
	GrantID    string
	Generation int64
	IssuedAt   int64 // Unix seconds
	Expires    int64 // Unix seconds
}

// refreshClaims is the payload of the token. Only we read it, so the audience is our
// issuer.
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

// SignRefresh makes a refresh token (typ rt+jwt, HS256 on the internal line, jti
// from grant and generation). ErrNoKey.
//
// The same content gives the same bytes while the same secret is active. When a
// rotation falls between two answers to one generation, the second has other bytes
// and the same meaning: it names the same grant and generation, both open, and
// whichever is used first rotates the row that decides over both. No fork comes of it.
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
		return "", errors.New("sign refresh token: a required claim is missing")
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

// OpenRefresh opens a refresh token of ours. An expired one is returned together with
// ErrExpired, since its replay still has to be noticed. ErrInvalid.
//
// It checks neither that the grant lives nor that subject, client and generation are
// those of the row.
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

// refreshID is the jti: a function of grant and generation, and of nothing else.
func refreshID(grantID string, generation int64) string {
	sum := sha256.Sum256([]byte(grantID + "\x00" + strconv.FormatInt(generation, 10)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
