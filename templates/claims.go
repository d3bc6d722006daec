package templates

import (
	"encoding/json"
	"strings"
	"time"
)

// claim explains one member of a token to a developer.
type claim struct {
	Name    string
	Meaning string
	Time    string // of a NumericDate, RFC 3339 in UTC; "" for others
}

// meanings are of registered names (RFC 7519, RFC 9068, OIDC Core, section 2 and
// 5.1) and of Signet's own.
var meanings = map[string]string{
	"acr":                "how strong the sign-in was",
	"alg":                "the algorithm of the signature; a verifier accepts only the one it expects",
	"amr":                "the means of the sign-in: pwd is a password",
	"at_hash":            "ties this ID token to the access token that came with it",
	"aud":                "whom the token is for; everybody else must refuse it",
	"auth_time":          "when the person last proved who they are",
	"azp":                "the client the ID token was issued to",
	"client_id":          "the client the token was issued to",
	"email":              "the email address",
	"email_verified":     "whether the person has proven that the address is theirs",
	"exp":                "when the token ends",
	"gid":                "the grant behind the token: when it ends, so does the token at Signet",
	"iat":                "when the token was made",
	"iss":                "the issuer: who made the token",
	"jti":                "the name of this one token",
	"kid":                "which of the issuer's published keys signed it",
	"name":               "the full name",
	"nonce":              "what the client sent with its request, so that the token answers that request and no other",
	"preferred_username": "how the person likes to be called; it may change, so it is no key",
	"scope":              "what the token allows",
	"sid":                "the session at Signet, for signing out",
	"sub":                "the person, for ever the same: store this one",
	"typ":                "the kind of token, so that no other kind passes for it",
}

// claims explains the members of a JSON object that have a known meaning, in their
// order. What is not an object has none.
func claims(object string) []claim {
	decoder := json.NewDecoder(strings.NewReader(object))
	decoder.UseNumber()
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil
	}
	var known []claim
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return known
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return known
		}
		if name, _ := key.(string); meanings[name] != "" {
			known = append(known, claim{name, meanings[name], numericDate(name, value)})
		}
	}
	return known
}

// numericDate reads seconds since 1970 (RFC 7519, section 2) where the claim holds
// a time.
func numericDate(name string, value any) string {
	switch name {
	case "exp", "iat", "auth_time":
	default:
		return ""
	}
	number, _ := value.(json.Number)
	seconds, err := number.Int64()
	if err != nil {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}
