package templates

import (
	"encoding/json"
	"strings"
	"time"

	"signet/templates/words"
)

// claim explains one member of a token to a developer.
type claim struct {
	Name    string
	Meaning words.Sentence
	Time    string // value of a NumericDate in RFC 3339 and UTC; "" for other claims
}

// meanings explains the registered names (RFC 7519, RFC 9068, OIDC Core, sections 2 and
// 5.1) and those of Signet.
var meanings = map[string]words.Sentence{
	"acr":                words.Say("claim.acr"),
	"alg":                words.Say("claim.alg"),
	"amr":                words.Say("claim.amr"),
	"at_hash":            words.Say("claim.at-hash"),
	"aud":                words.Say("claim.aud"),
	"auth_time":          words.Say("claim.auth-time"),
	"azp":                words.Say("claim.azp"),
	"client_id":          words.Say("claim.client-id"),
	"email":              words.Say("claim.email"),
	"email_verified":     words.Say("claim.email-verified"),
	"exp":                words.Say("claim.exp"),
	"gid":                words.Say("claim.gid"),
	"iat":                words.Say("claim.iat"),
	"iss":                words.Say("claim.iss"),
	"jti":                words.Say("claim.jti"),
	"kid":                words.Say("claim.kid"),
	"name":               words.Say("claim.name"),
	"nonce":              words.Say("claim.nonce"),
	"preferred_username": words.Say("claim.preferred-username"),
	"scope":              words.Say("claim.scope"),
	"sid":                words.Say("claim.sid"),
	"sub":                words.Say("claim.sub"),
	"typ":                words.Say("claim.typ"),
}

// claims explains the members of a JSON object that have a known meaning, in their order.
// It returns nil if the text is no JSON object.
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
		if name, _ := key.(string); !meanings[name].IsZero() {
			known = append(known, claim{name, meanings[name], numericDate(name, value)})
		}
	}
	return known
}

// numericDate formats seconds since 1970 (RFC 7519, section 2) if the claim is a time.
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
