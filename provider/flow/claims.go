package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/federation/foreign"
	"signet/provider/request"
	"signet/storage"
)

// claimNames lists every claim that can be had, for discovery.
func claimNames() []string {
	names := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}
	for _, scope := range request.ScopeNames {
		names = append(names, request.ScopeClaims[scope]...)
	}
	return names
}

// visible is a user as one client may see them. Every claim about a person that leaves
// for a client is made from it: see visibleTo.
type visible struct{ user storage.User }

// visibleTo withholds what a client may not be told of the user. Clients link accounts
// by the address and let people in by the user name, so they get
//
//   - the address only if it is proven, unless the client has UnverifiedEmail;
//   - preferred_username only if no other user has one that looks the same.
func visibleTo(client storage.Client, u storage.User) visible {
	if !u.EmailVerified && !client.UnverifiedEmail {
		u.Email, u.EmailCanonical = "", ""
	}
	if !u.UsernameUnique() {
		u.PreferredUsername = ""
	}
	return visible{u}
}

// claim gives one claim of a user as it goes out, and false if the user has none:
// an absent claim is left out, never null (OIDC Core, section 5.3.2).
func (v visible) claim(name string) (any, bool) {
	u := &v.user
	if text, ok := textClaim(u, name); ok {
		return text, text != ""
	}
	switch name {
	case "email_verified":
		return u.EmailVerified, u.Email != ""
	case "phone_number_verified":
		return u.PhoneNumberVerified, u.PhoneNumber != ""
	case "updated_at":
		return u.UpdatedAt.Unix(), u.UpdatedAt != 0
	case "address":
		return u.Address, u.Address != storage.Address{}
	case "roles":
		return u.Roles, len(u.Roles) > 0
	case "groups":
		return u.Groups, len(u.Groups) > 0
	}
	return nil, false
}

// textClaim gives a claim that is text; false if it is not one of those.
func textClaim(u *storage.User, name string) (string, bool) {
	switch name {
	case "name":
		return u.Name, true
	case "family_name":
		return u.FamilyName, true
	case "given_name":
		return u.GivenName, true
	case "middle_name":
		return u.MiddleName, true
	case "nickname":
		return u.Nickname, true
	case "preferred_username":
		return u.PreferredUsername, true
	case "profile":
		return u.Profile, true
	case "picture":
		return u.Picture, true
	case "website":
		return u.Website, true
	case "gender":
		return u.Gender, true
	case "birthdate":
		return u.Birthdate, true
	case "zoneinfo":
		return u.Zoneinfo, true
	case "locale":
		return u.Locale, true
	case "email":
		return u.Email, true
	case "phone_number":
		return u.PhoneNumber, true
	}
	return "", false
}

// claimsAsked is the claims parameter as it is kept (OIDC Core, section 5.5).
type claimsAsked struct {
	UserInfo map[string]*claimAsked `json:"userinfo,omitempty"`
	IDToken  map[string]*claimAsked `json:"id_token,omitempty"`
}

// claimAsked is how one claim is asked for; nil in a map is the plain null.
type claimAsked struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// wanted lists the values asked for. They are strings: false if one is not, for
// what was asked for could not be compared and would be ignored.
func (c *claimAsked) wanted() ([]string, bool) {
	all := c.Values
	if len(c.Value) > 0 {
		all = append([]json.RawMessage{c.Value}, all...)
	}
	texts := make([]string, len(all))
	for i, raw := range all {
		if json.Unmarshal(raw, &texts[i]) != nil || string(raw) == "null" {
			return nil, false
		}
	}
	return texts, true
}

var errClaims = errors.New("claims is not the JSON object of OpenID Connect Core, section 5.5")

// parseClaimsRequest reads the claims parameter and drops what does not exist. Its JSON
// comes from a stranger: names are taken exactly as the specification writes them.
func parseClaimsRequest(raw string) (claimsAsked, error) {
	var asked claimsAsked
	members, err := foreign.Object([]byte(raw))
	if err != nil {
		return asked, fmt.Errorf("%w: the text %w", errClaims, err)
	}
	if asked.UserInfo, err = readClaimSet(members["userinfo"]); err != nil {
		return asked, err
	}
	asked.IDToken, err = readClaimSet(members["id_token"])
	return asked, err
}

func readClaimSet(value any) (map[string]*claimAsked, error) {
	if value == nil {
		return nil, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errClaims
	}
	set, known := map[string]*claimAsked{}, claimNames()
	for name, value := range members {
		one, err := readClaim(value)
		if err != nil {
			return nil, err
		}
		if slices.Contains(known, name) {
			set[name] = one
		}
	}
	return set, nil
}

// readClaim reads how one claim is asked for; members that nobody knows are ignored.
func readClaim(value any) (*claimAsked, error) {
	if value == nil {
		return nil, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errClaims
	}
	one := &claimAsked{}
	if essential, found := members["essential"]; found && essential != nil {
		if one.Essential, ok = essential.(bool); !ok {
			return nil, errClaims
		}
	}
	if wanted, found := members["value"]; found {
		var err error
		if one.Value, err = json.Marshal(wanted); err != nil {
			return nil, err
		}
	}
	values, found := members["values"].([]any)
	if !found && members["values"] != nil {
		return nil, errClaims
	}
	for _, wanted := range values {
		text, err := json.Marshal(wanted)
		if err != nil {
			return nil, err
		}
		one.Values = append(one.Values, text)
	}
	return one, nil
}

// released are claims ready to go out, by where they were asked for.
type released struct {
	UserInfo map[string]any
	IDToken  map[string]any
}

// requestedClaims gives those claims of the kept claims parameter that the client may
// see of the user. Claims about the sign-in itself (acr, auth_time …) are in the token anyway.
func requestedClaims(kept string, u visible) released {
	var out released
	if kept == "" {
		return out
	}
	var asked claimsAsked
	if json.Unmarshal([]byte(kept), &asked) != nil {
		return out
	}
	pick := func(set map[string]*claimAsked) map[string]any {
		claims := map[string]any{}
		for name := range set {
			if value, ok := u.claim(name); ok {
				claims[name] = value
			}
		}
		return claims
	}
	out.UserInfo, out.IDToken = pick(asked.UserInfo), pick(asked.IDToken)
	return out
}
