package keys

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// HintLife is how long after its expiry an ID token still serves as id_token_hint:
// relying parties keep the last one to sign out with. The public half of a key stays in
// the database for as long.
const HintLife = 400 * 24 * time.Hour

// IDToken is the content of an ID token (OIDC Core, section 2).
type IDToken struct {
	Subject   string
	Audience  string // the client id
	Nonce     string
	SessionID string
	AuthTime  int64 // Unix seconds; 0: absent
	ACR       string
	AMR       []string
	AtHash    string
	CHash     string
	IssuedAt  int64          // Unix seconds
	Expires   int64          // Unix seconds
	Claims    map[string]any // claims asked for one by one; cannot override the above
}

// idClaims is the payload of the token, without the claims asked for one by one. The
// audience is the client alone, as a list, so no azp is needed.
type idClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  []string `json:"aud"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	Nonce     string   `json:"nonce,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AtHash    string   `json:"at_hash,omitempty"`
	CHash     string   `json:"c_hash,omitempty"`
	SessionID string   `json:"sid,omitempty"`
}

func (c *idClaims) complete() bool {
	return c.Subject != "" && len(c.Audience) == 1 && c.Audience[0] != "" &&
		c.IssuedAt > 0 && c.Expires > c.IssuedAt
}

// reservedClaims have a meaning in some kind of token. No claim of a user may take one of
// these names, in any spelling that a lenient JSON decoder accepts.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "scope", "client_id", "azp", "acr", "amr",
	"auth_time", "nonce", "act", "cnf", "at_hash", "c_hash", "s_hash", "gid", "events",
}

func reserved(name string) bool {
	return slices.ContainsFunc(reservedClaims, func(r string) bool { return strings.EqualFold(r, name) })
}

// SignID makes an ID token (typ JWT) with the active key of that algorithm. A token
// without subject, audience or a life of its own is refused, as is a claim with a
// reserved name and a token of more than 8 KiB. ErrNoKey.
func (r *Ring) SignID(alg string, t IDToken) (string, error) {
	claims := idClaims{
		r.issuer, t.Subject, []string{t.Audience}, t.Expires, t.IssuedAt, t.Nonce,
		t.AuthTime, t.ACR, t.AMR, t.AtHash, t.CHash, t.SessionID,
	}
	if !claims.complete() {
		return "", errors.New("sign ID token: a required claim is missing")
	}
	payload, err := json.Marshal(&claims)
	if err == nil {
		payload, err = appendClaims(payload, t.Claims)
	}
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	token, err := r.signed(alg, func(k *signingKey) string { return k.idID }, payload)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return token, nil
}

// appendClaims puts more members into a JSON object that has some.
func appendClaims(object []byte, more map[string]any) ([]byte, error) {
	if len(more) == 0 {
		return object, nil
	}
	for name := range more {
		if name == "" || reserved(name) {
			return nil, fmt.Errorf("the claim name %q is reserved", name)
		}
	}
	members, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	object[len(object)-1] = ','
	return append(object, members[1:]...), nil
}

// VerifyIDTokenHint opens an ID token of ours that comes back as id_token_hint;
// one that expired less than 400 days ago is good, one of a revoked key never.
// Claims stays nil: a hint names a user and a session and says no more about them.
//
// ErrInvalid; ErrExpired for one that is too old.
func (r *Ring) VerifyIDTokenHint(token string, at time.Time) (IDToken, error) {
	c, ok := r.openID(token)
	if !ok || c.Issuer != r.issuer || !c.complete() || issuedTooLate(c.IssuedAt, at) {
		return IDToken{}, fmt.Errorf("verify ID token hint: %w", ErrInvalid)
	}
	if at.Add(-HintLife).Unix() >= c.Expires {
		return IDToken{}, fmt.Errorf("verify ID token hint: %w", ErrExpired)
	}
	return IDToken{
		c.Subject, c.Audience[0], c.Nonce, c.SessionID, c.AuthTime, c.ACR, c.AMR,
		c.AtHash, c.CHash, c.IssuedAt, c.Expires, nil,
	}, nil
}

func (r *Ring) openID(token string) (c idClaims, ok bool) {
	p, ok := split(token)
	if !ok {
		return c, false
	}
	_, k := lookUp(r, func(s *keySet) *signingKey { return s.hints[p.header] })
	ok = k != nil && k.verify(p) && decodeClaims(p.payload, &c)
	return c, ok
}

// HalfHash is the left half of the hash of value that at_hash and c_hash carry
// for a token signed with alg (OIDC Core, section 3.1.3.6): SHA-256 for the
// algorithms that end in 256. EdDSA names no hash; relying parties take the one
// inside Ed25519, SHA-512 (RFC 8032, section 5.1).
func HalfHash(alg, value string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
