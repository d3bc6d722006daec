package web

import (
	"errors"
	"net/http"
	"strings"
)

// ErrNoBearer: the request has no access token.
var ErrNoBearer = Because("token_missing", errors.New("the request has no access token"))

// ParseBearer returns the token of an Authorization header (RFC 6750, section 2.1). ErrNoBearer:
// the header has another scheme.
func ParseBearer(header string) (string, error) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoBearer
	}
	if token == "" || strings.ContainsAny(token, " \t") {
		return "", Because("malformed_request", errors.New("the Authorization header must be Bearer, one space, and the token"))
	}
	return token, nil
}

// HeaderToken returns the access token of a request that may have it only in the Authorization
// header. ErrNoBearer.
func HeaderToken(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	switch len(headers) {
	case 0:
		return "", ErrNoBearer
	case 1:
		return ParseBearer(headers[0])
	}
	return "", Because("malformed_request", errors.New("send the access token only once"))
}
