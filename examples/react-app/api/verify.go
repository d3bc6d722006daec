package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// verifier checks Signet's access token (RFC 9068) in its cookie.
type verifier struct {
	cookie, issuer, audience string
	keys                     *keySet
}

func newVerifier(issuer, audience string) *verifier {
	cookie := "__Host-access_token"
	if strings.HasPrefix(issuer, "http://") { // localhost
		cookie = "access_token"
	}
	return &verifier{cookie, issuer, audience, newKeySet(issuer + "/jwks")}
}

var errNotSignedIn = errors.New("no valid access token")

// subject returns the subject of the request's access token. errNotSignedIn: there is no
// valid token. errUnreadable: the keys could not be read.
func (v *verifier) subject(r *http.Request) (string, error) {
	cookies := r.CookiesNamed(v.cookie)
	if len(cookies) != 1 { // with two cookies, another site has set one of them
		return "", errNotSignedIn
	}
	token, err := jwt.ParseSigned(cookies[0].Value, []jose.SignatureAlgorithm{jose.ES256})
	// The same keys sign other types of tokens too.
	if err != nil || len(token.Headers) != 1 || token.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return "", errNotSignedIn
	}
	key, err := v.keys.key(token.Headers[0].KeyID)
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if token.Claims(key, &claims) != nil || !v.isValid(claims) {
		return "", errNotSignedIn
	}
	return claims.Subject, nil
}

func (v *verifier) isValid(claims jwt.Claims) bool {
	return claims.Issuer == v.issuer && slices.Contains(claims.Audience, v.audience) && claims.Subject != "" &&
		claims.Expiry != nil && time.Now().Before(claims.Expiry.Time())
}

type subjectKey struct{}

// require passes only requests with a valid token to next, with its subject in the context.
func (v *verifier) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, err := v.subject(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), subjectKey{}, subject)))
		case errors.Is(err, errUnreadable): // a 401 would say that the person is not signed in
			log.Print(err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "try again", http.StatusServiceUnavailable)
		default:
			http.Error(w, "sign in first", http.StatusUnauthorized) // @signet/react refreshes and calls again
		}
	})
}
