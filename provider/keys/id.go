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

// HintLife is how long after its expiry an ID token is still accepted as id_token_hint:
// relying parties store the last ID token and sign out with it. The database stores the
// public half of a key for the same time.
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
	Claims    map[string]any // claims requested individually; they cannot override the fields above
}

// idClaims is the payload of the token without the individually requested claims. The
// audience is a list with the client as its only member, so no azp is needed.
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

// reservedClaims are the claims that have a meaning in some kind of token. No user claim
// may have one of these names, in any spelling that a lenient JSON decoder accepts.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "scope", "client_id", "azp", "acr", "amr",
	"auth_time", "nonce", "act", "cnf", "at_hash", "c_hash", "s_hash", "gid", "events",
}

func isReserved(name string) bool {
	return slices.ContainsFunc(reservedClaims, func(r string) bool { return strings.EqualFold(r, name) })
}

// SignID signs an ID token (typ JWT) with the active key of that algorithm. It refuses a
// token without subject or audience, a token that expires before it is issued, a claim with
// a reserved name, and a token of more than 8 KiB.
//
// ErrNoKey: the algorithm is not configured or has no active key.
func (r *Ring) SignID(alg string, t IDToken) (string, error) {
	claims := idClaims{
		r.issuer, t.Subject, []string{t.Audience}, t.Expires, t.IssuedAt, t.Nonce,
		t.AuthTime, t.ACR, t.AMR, t.AtHash, t.CHash, t.SessionID,
	}
	if !claims.complete() {
		return "", errors.New("sign ID token: subject, audience, iat or exp is missing or invalid")
	}
	payload, err := json.Marshal(&claims)
	if err == nil {
		payload, err = appendClaims(payload, t.Claims)
	}
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	token, err := r.signWithActive(alg, func(k *signingKey) string { return k.idID }, payload)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return token, nil
}

// appendClaims adds members to a JSON object that has at least one member.
func appendClaims(object []byte, more map[string]any) ([]byte, error) {
	if len(more) == 0 {
		return object, nil
	}
	for name := range more {
		if name == "" || isReserved(name) {
			return nil, fmt.Errorf("the claim name %q is empty or reserved", name)
		}
	}
	members, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	object[len(object)-1] = ','
	return append(object, members[1:]...), nil
}

// VerifyIDTokenHint returns the content of an ID token that this issuer signed and that a
// client sends back as id_token_hint. The token may have expired less than 400 days ago. A
// token that was signed with a revoked key is refused. Claims stays nil: a hint is only
// used to find a user and a session.
//
// ErrInvalid; ErrExpired: the token expired 400 days ago or earlier.
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

// HalfHash returns the value of at_hash and c_hash for a token signed with alg: the left
// half of the hash of value (OIDC Core, section 3.1.3.6). The hash is SHA-256 for the
// algorithms that end in 256. EdDSA names no hash; relying parties use the hash inside
// Ed25519, SHA-512 (RFC 8032, section 5.1).
func HalfHash(alg, value string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
