package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// userInfoClaims are the members that every signed answer of the UserInfo endpoint has.
type userInfoClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"` // the client id
}

// SignUserInfo signs an answer of the UserInfo endpoint (OIDC Core, section 5.3.2) with the
// active key of that algorithm. claims contains sub. There is no exp and no iat, so no receiver
// can take the answer for an ID token.
//
// ErrNoKey: the algorithm is not configured or has no active key.
func (r *Ring) SignUserInfo(alg, audience string, claims map[string]any) (string, error) {
	subject, _ := claims["sub"].(string)
	if subject == "" || audience == "" {
		return "", errors.New("sign userinfo: subject or audience is missing")
	}
	others := maps.Clone(claims)
	delete(others, "sub")
	payload, err := json.Marshal(&userInfoClaims{r.issuer, subject, audience})
	if err == nil {
		payload, err = appendClaims(payload, others)
	}
	if err != nil {
		return "", fmt.Errorf("sign userinfo: %w", err)
	}
	token, err := r.signWithActive(alg, func(k *signingKey) string { return k.idID }, payload)
	if err != nil {
		return "", fmt.Errorf("sign userinfo: %w", err)
	}
	return token, nil
}
