package flow

import (
	"encoding/json"
	"maps"
	"slices"

	"signet/federation/foreign"
	"signet/provider/request"
	"signet/storage"
)

// Visible is a user with only the data that one client may see. Every claim about a person
// is made from it: see VisibleTo.
type Visible struct{ user storage.User }

// VisibleTo removes the data that a client may not see. Clients link accounts by the email
// address and sign people in by the user name, so they get
//
//   - the address only if it is proven, unless the client has UnverifiedEmail;
//   - preferred_username only if no other user has one that looks the same.
//
// The groups set by operators and those from upstreams become one list.
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

// User returns the user without the removed data.
func (v Visible) User() storage.User { return v.user }

// claim returns the value of one claim as it is sent, and false if the user has no value: an
// absent claim is left out, never null (OIDC Core, section 5.3.2).
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

// textClaim returns a claim with a text value; false if the claim is of another type.
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

// nameClaim returns a claim that is one of the user's names; false if it is not a name.
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

// released holds the claims to send, by the place where they were requested.
type released struct {
	UserInfo map[string]any
	IDToken  map[string]any
}

// requestedClaims returns the claims of a stored claims parameter that the client may see.
// Claims about the sign-in itself (acr, auth_time …) are always in the token.
func requestedClaims(stored string, u Visible) released {
	var out released
	if stored == "" {
		return out
	}
	var asked ClaimsRequest
	if json.Unmarshal([]byte(stored), &asked) != nil {
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

// idTokenClaims returns the claims about the user in an ID token: those that the claims parameter
// requests for it, and those that the scopes release. scopes is empty if the client can read the
// claims of its scopes at the UserInfo endpoint (OIDC Core, section 5.4).
func idTokenClaims(rights request.Rights, scopes []string, v Visible) map[string]any {
	requested := requestedClaims(string(rights.Claims), v).IDToken
	if len(scopes) == 0 {
		return requested
	}
	claims := scopeClaims(scopes, v)
	maps.Copy(claims, requested)
	return claims
}

// accessTokenLists returns the roles and groups in an access token with these scopes: the only
// claims about the user in it, besides the subject.
func accessTokenLists(scopes []string, v Visible) (roles, groups []string) {
	if slices.Contains(scopes, request.ScopeRoles) {
		roles = foreign.Distinct(v.user.Roles)
	}
	if slices.Contains(scopes, request.ScopeGroups) {
		groups = foreign.Distinct(v.user.Groups)
	}
	return roles, groups
}

// UserInfoClaims returns the claims that the rights release at the UserInfo endpoint, with the
// subject sub of the user at the client (OIDC Core, section 5.3.2).
func UserInfoClaims(sub string, rights request.Rights, v Visible) map[string]any {
	claims := scopeClaims(rights.Scopes, v)
	maps.Copy(claims, requestedClaims(string(rights.Claims), v).UserInfo)
	claims["sub"] = sub
	return claims
}

// scopeClaims returns the claims that the scopes release (OIDC Core, section 5.4).
func scopeClaims(scopes []string, v Visible) map[string]any {
	claims := map[string]any{}
	for _, scope := range scopes {
		for _, name := range request.ScopeClaims[scope] {
			if value, ok := v.claim(name); ok {
				claims[name] = value
			}
		}
	}
	return claims
}
