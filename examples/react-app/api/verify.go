package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// verifier checks Signet's access token (RFC 9068) in its cookie. The keys are read
// when they are first needed, kept, and read again when a token names another one.
type verifier struct {
	cookie string
	tokens *oidc.IDTokenVerifier
}

func newVerifier(issuer, audience string) *verifier {
	cookie := "__Host-access_token"
	if strings.HasPrefix(issuer, "http://") { // localhost
		cookie = "access_token"
	}
	keys := oidc.NewRemoteKeySet(context.Background(), issuer+"/jwks")
	return &verifier{cookie, oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             audience, // aud
		SupportedSigningAlgs: []string{oidc.ES256},
	})}
}

// subject is who has made the request.
func (v *verifier) subject(r *http.Request) (string, error) {
	cookies := r.CookiesNamed(v.cookie)
	if len(cookies) != 1 { // two: one of them was planted
		return "", errors.New("no access token")
	}
	token := cookies[0].Value
	if err := wantAccessToken(token); err != nil {
		return "", err
	}
	verified, err := v.tokens.Verify(r.Context(), token) // signature, alg, iss, aud, exp
	if err != nil {
		return "", err
	}
	return verified.Subject, nil
}

// wantAccessToken refuses the other tokens that the same keys sign.
func wantAccessToken(token string) error {
	first, _, _ := strings.Cut(token, ".")
	plain, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return err
	}
	var header struct {
		Type string `json:"typ"`
	}
	if err := json.Unmarshal(plain, &header); err != nil {
		return err
	}
	if header.Type != "at+jwt" {
		return errors.New("not an access token")
	}
	return nil
}

type subjectKey struct{}

// require lets nobody through who is not signed in; the others' subject is in the
// context.
func (v *verifier) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, err := v.subject(r)
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized) // @signet/react refreshes and calls again
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), subjectKey{}, subject)))
	})
}
