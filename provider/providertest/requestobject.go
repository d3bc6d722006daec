package providertest

import "net/url"

// ObjectClaims returns the members of a valid request object of the testbed's client, with the
// parameters of a valid request. For pairs see Params.
func (b *Testbed) ObjectClaims(pairs ...string) map[string]any {
	at := b.Now().Unix()
	claims := map[string]any{"iss": b.Client.ID, "aud": b.Issuer, "iat": at, "exp": at + 60}
	for name, values := range b.Params(pairs...) {
		claims[name] = values[0]
	}
	return claims
}

// SignObject signs a request object.
func SignObject(key ClientKey, claims map[string]any) string {
	return key.Sign(claims, map[string]any{"typ": "oauth-authz-req+jwt"})
}

// ObjectParams returns the parameters of an authorization request with this request object, and the
// parameters outside the object that pairs names.
func (b *Testbed) ObjectParams(object string, pairs ...string) url.Values {
	v := url.Values{"client_id": {b.Client.ID}, "request": {object}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// SignedURL returns the URL of an authorization request with a request object of these members. For
// pairs see ObjectParams.
func (b *Testbed) SignedURL(key ClientKey, claims map[string]any, pairs ...string) string {
	return b.Issuer + "/authorize?" + b.ObjectParams(SignObject(key, claims), pairs...).Encode()
}
