package keys

import (
	"encoding/json"
	"errors"
	"fmt"
)

const typLogout typ = "logout+jwt" // OIDC Back-Channel Logout, section 2.4

// LogoutToken is the content of a logout token (OIDC Back-Channel Logout, section
// 2.4). It has no nonce, so that it is never accepted as an ID token.
type LogoutToken struct {
	Subject   string
	Audience  string
	SessionID string // sid of the ID tokens of the session that ended
	ID        string // jti
	IssuedAt  int64  // Unix seconds
	Expires   int64  // Unix seconds
}

// logoutEvent is the one member of the events claim; its value is an empty object.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

type logoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	Expires   int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// SignLogout signs a logout token (typ logout+jwt, iss the ring's issuer) with the active
// key of that algorithm. It refuses a token without subject, audience, sid or jti, and a
// token that expires before it is issued. ErrNoKey.
func (r *Ring) SignLogout(alg string, t LogoutToken) (string, error) {
	if t.Subject == "" || t.Audience == "" || t.SessionID == "" || t.ID == "" || t.IssuedAt <= 0 || t.Expires <= t.IssuedAt {
		return "", errors.New("sign logout token: subject, audience, sid, jti, iat or exp is missing or invalid")
	}
	payload, err := json.Marshal(&logoutClaims{
		r.issuer, t.Subject, t.Audience, t.IssuedAt, t.Expires, t.ID, t.SessionID, map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	token, err := r.signWithActive(alg, func(k *signingKey) string { return readyHeader(k.Row.Line, k.Row.ID, typLogout) }, payload)
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	return token, nil
}
