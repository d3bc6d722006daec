package flow

import (
	"encoding/json"

	"signet/federation/foreign"
	"signet/provider/request"
	"signet/storage"
)

// Visible is a user as one client may see them. Every claim about a person that leaves
// for a client is made from it: see VisibleTo.
type Visible struct{ user storage.User }

// VisibleTo withholds what a client may not be told of the user. Clients link accounts
// by the address and let people in by the user name, so they get
//
//   - the address only if it is proven, unless the client has UnverifiedEmail;
//   - preferred_username only if no other user has one that looks the same.
//
// Groups that an operator gave and groups of upstreams become one list.
func VisibleTo(client storage.Client, u storage.User) Visible {
	if !u.EmailVerified && !client.UnverifiedEmail {
		u.Email, u.EmailCanonical = "", ""
	}
	if !u.UsernameUnique() {
		u.PreferredUsername = ""
	}
	u.Groups, u.UpstreamGroups = u.AllGroups(), nil
	return Visible{u}
}

// User is the user without what is withheld.
func (v Visible) User() storage.User { return v.user }

// claim gives one claim of a user as it goes out, and false if the user has none:
// an absent claim is left out, never null (OIDC Core, section 5.3.2).
func (v Visible) claim(name string) (any, bool) {
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
		return foreign.Distinct(u.Roles), len(u.Roles) > 0
	case "groups":
		return foreign.Distinct(u.Groups), len(u.Groups) > 0
	}
	return nil, false
}

// textClaim gives a claim that is text; false if it is not one of those.
func textClaim(u *storage.User, name string) (string, bool) {
	switch name {
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
	return nameClaim(u, name)
}

// nameClaim gives a claim that is one of the user's names; false if it is not.
func nameClaim(u *storage.User, name string) (string, bool) {
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
	}
	return "", false
}

// released are claims ready to go out, by where they were asked for.
type released struct {
	UserInfo map[string]any
	IDToken  map[string]any
}

// requestedClaims gives those claims of the kept claims parameter that the client may
// see of the user. Claims about the sign-in itself (acr, auth_time …) are in the token anyway.
func requestedClaims(kept string, u Visible) released {
	var out released
	if kept == "" {
		return out
	}
	var asked ClaimsRequest
	if json.Unmarshal([]byte(kept), &asked) != nil {
		return out
	}
	pick := func(set map[string]*AskedClaim) map[string]any {
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

// UserInfoClaims gives what the rights release of the user at the UserInfo endpoint (OIDC
// Core, section 5.3.2), sub included.
func UserInfoClaims(rights request.Rights, v Visible) map[string]any {
	claims := requestedClaims(string(rights.Claims), v).UserInfo
	if claims == nil {
		claims = map[string]any{}
	}
	for _, scope := range rights.Scopes {
		for _, name := range request.ScopeClaims[scope] {
			if value, ok := v.claim(name); ok {
				claims[name] = value
			}
		}
	}
	claims["sub"] = v.user.ID
	return claims
}
