package storage

import (
	"slices"
	"strings"

	"signet/federation/foreign"
)

// ResponseType is a value of the parameter response_type: what the authorization response
// contains (OAuth 2.0 Multiple Response Type Encoding Practices).
type ResponseType struct {
	Name    string
	Code    bool // an authorization code
	IDToken bool // an ID token
	Token   bool // an access token
}

// ResponseTypeCode is the response type of every client that signs people in, unless an
// administrator chooses others.
const ResponseTypeCode = "code"

// responseTypes is the only list of response types. There is no "token": an access token alone
// does not say for which client it was issued, so an attacker could inject it (RFC 9700, section
// 2.1.2).
var responseTypes = []ResponseType{
	{Name: ResponseTypeCode, Code: true},
	{Name: "id_token", IDToken: true},
	{Name: "id_token token", IDToken: true, Token: true},
	{Name: "code id_token", Code: true, IDToken: true},
	{Name: "code token", Code: true, Token: true},
	{Name: "code id_token token", Code: true, IDToken: true, Token: true},
}

// ResponseTypeNames lists the names of all response types, with code first.
func ResponseTypeNames() []string {
	var names []string
	for _, t := range responseTypes {
		names = append(names, t.Name)
	}
	return names
}

// FindResponseType returns the response type with these words, in any order (OAuth 2.0 Multiple
// Response Type Encoding Practices, section 2); false if there is none.
func FindResponseType(words string) (ResponseType, bool) {
	given := strings.Fields(words)
	for _, t := range responseTypes {
		if own := strings.Fields(t.Name); len(own) == len(given) && len(foreign.Distinct(given)) == len(given) &&
			!slices.ContainsFunc(given, func(word string) bool { return !slices.Contains(own, word) }) {
			return t, true
		}
	}
	return ResponseType{}, false
}

// InFrontChannel reports whether the response itself contains a token, so that it passes through
// the browser.
func (t ResponseType) InFrontChannel() bool { return t.IDToken || t.Token }

// GrantTypes lists the grant types that a client with this response type must have (OIDC
// Registration, section 2).
func (t ResponseType) GrantTypes() []string {
	var grants []string
	if t.Code {
		grants = append(grants, GrantCode)
	}
	if t.InFrontChannel() {
		grants = append(grants, GrantImplicit)
	}
	return grants
}

// AllowsResponseType reports whether the client is registered for the response type and for its
// grant types.
func (c Client) AllowsResponseType(t ResponseType) bool {
	grants := c.Metadata.GrantTypes
	if t.Code && !slices.Contains(grants, GrantCode) || t.InFrontChannel() && !slices.Contains(grants, GrantImplicit) {
		return false
	}
	return slices.Contains(c.Metadata.ResponseTypes, t.Name) || slices.ContainsFunc(c.Metadata.ResponseTypes, func(name string) bool {
		registered, known := FindResponseType(name)
		return known && registered == t
	})
}
