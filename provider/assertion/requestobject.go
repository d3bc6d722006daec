package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"signet/federation/foreign"
	"signet/provider/web"
	"signet/storage"
)

// MaxRequestObject is the longest request object in bytes. A pushed one may be longer than a URL.
const MaxRequestObject = 32 << 10

// ErrInvalidRequest: the request object does not carry a request of the client. The error has the
// stable code of the cause.
var ErrInvalidRequest = errors.New("the request object is not valid")

var authorization = &purpose{"request_object", []string{"", "jwt", "oauth-authz-req+jwt"}, MaxRequestObject, ErrInvalidRequest}

// jwtClaims are the members of a request object that describe the JWT (RFC 7519, section 4.1). All
// others are parameters.
var jwtClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// RequestObject is a request object whose signature has not been checked (RFC 9101, section 4; OIDC
// Core, section 6.1).
type RequestObject struct {
	jwt        Unverified
	parameters url.Values
}

// ReadRequestObject reads a request object. It returns an error if the object is too long, not a JWS,
// marked for another purpose, or if a member is repeated or has the wrong form. It checks no signature
// and compares no claim. The error continues a sentence that begins with the request object.
func ReadRequestObject(text string) (RequestObject, error) {
	jwt, err := read(text, authorization)
	if err != nil {
		return RequestObject{}, err
	}
	members, err := foreign.ReadObject(jwt.token.Payload)
	if err != nil {
		return RequestObject{}, fmt.Errorf("has a payload that %w", err)
	}
	parameters := url.Values{}
	for name, value := range members {
		if slices.Contains(jwtClaims, name) {
			continue
		}
		if parameters[name], err = parameterValues(name, value); err != nil {
			return RequestObject{}, fmt.Errorf("has a member %s that %w", foreign.ForError(name), err)
		}
	}
	if web.CheckParameters(parameters, "resource") != nil {
		return RequestObject{}, errors.New("has a text with NUL")
	}
	return RequestObject{jwt, parameters}, nil
}

// parameterValues returns a member in the form that it has in a query (RFC 9101, section 4): text as it
// is, numbers and booleans as JSON writes them, and objects and lists as JSON. A list of resources has one
// value for each (RFC 8707, section 2). null counts as absent.
func parameterValues(name string, value any) ([]string, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{value}, nil
	case json.Number:
		return []string{value.String()}, nil
	case bool:
		return []string{strconv.FormatBool(value)}, nil
	case []any:
		if name == "resource" {
			return textsOf(value)
		}
	}
	text, err := json.Marshal(value)
	return []string{string(text)}, err
}

func textsOf(list []any) ([]string, error) {
	texts := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, errors.New("is not a string or a list of strings")
		}
		texts[i] = text
	}
	return texts, nil
}

// VerifyRequest checks that this client has signed the object for this issuer, and returns the
// parameters in it (RFC 9101, section 6). It does not check their values. The same object may be used
// until it expires, because a person may open a link twice; the code of its request is bound to the
// browser and to the challenge in it.
//
// ErrInvalidRequest, ErrNoKeys.
func (v *Verifier) VerifyRequest(ctx context.Context, client storage.Client, o RequestObject, issuer string) (url.Values, error) {
	a := &o.jwt
	switch {
	case a.Issuer != client.ID || o.parameters.Get("client_id") != client.ID:
		return nil, a.invalid("not_own", "iss and client_id must both be the client_id")
	case a.Subject == client.ID:
		// RFC 9101, section 10.8: a client assertion has this sub.
		return nil, a.invalid("not_own", "sub must not be the client_id, as in client assertions")
	case !slices.Contains(a.audience, issuer):
		return nil, a.invalid("audience", "aud is %q, want %q", describe(a.audience), issuer)
	case o.parameters.Has("request") || o.parameters.Has("request_uri"): // RFC 9101, section 4
		return nil, a.invalid("nested", "it has request or request_uri")
	}
	if err := a.checkTimes(v.Now()); err != nil {
		return nil, err
	}
	if err := v.checkSignature(ctx, client, *a, client.Metadata.RequestObjectAlg); err != nil {
		return nil, err
	}
	return o.parameters, nil
}
