package federation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"signet/federation/foreign"
)

// textClaims maps the standard names (OIDC Core, section 5.1) of the claims about a person
// that are one text to their fields. No decision depends on these claims.
func (i *Identity) textClaims() map[string]*string {
	return map[string]*string{
		"name": &i.Name, "given_name": &i.GivenName, "family_name": &i.FamilyName, "middle_name": &i.MiddleName, "nickname": &i.Nickname,
		"preferred_username": &i.Username, "profile": &i.ProfileURL, "picture": &i.Picture, "website": &i.Website, "gender": &i.Gender,
		"birthdate": &i.Birthdate, "zoneinfo": &i.Zoneinfo, "locale": &i.Locale, "phone_number": &i.PhoneNumber,
	}
}

// mappableClaims lists the claims that the setting claims may map to another claim of the
// upstream. Roles cannot be mapped: they never come from an upstream.
func mappableClaims() []string {
	return append(slices.Sorted(maps.Keys((&Identity{}).textClaims())), "email", "email_verified", "address", "groups")
}

// unmappableClaims lists the claims that a kind of upstream does not send as members of the
// user's document, and the reason.
func unmappableClaims(kind Kind) (names []string, why string) {
	switch kind {
	case GitHub:
		return []string{"email", "email_verified", "address", "groups"}, "claims are read from GET /user, the email address is the verified primary one, and GitHub has no groups"
	case Apple:
		return []string{"name", "given_name", "family_name"}, "Apple sends the name outside the ID token, and only at the first sign-in"
	}
	return nil, ""
}

// checkMapping checks the setting claims. ErrMisconfigured.
func checkMapping(c Config) error {
	unmappable, why := unmappableClaims(c.Kind)
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		switch {
		case !slices.Contains(mappableClaims(), name):
			return misconfigured(c, "claims", fmt.Sprintf("names %q: only %s can be mapped", foreign.ForError(name), strings.Join(mappableClaims(), ", ")))
		case slices.Contains(unmappable, name):
			return misconfigured(c, "claims", fmt.Sprintf("maps %s, which does nothing with type %s: %s", name, c.Kind, why))
		case strings.TrimSpace(c.Claims[name]) == "":
			return misconfigured(c, "claims", fmt.Sprintf("maps %s to an empty name: enter a claim of the upstream, or remove the entry", name))
		}
	}
	return nil
}

// MapsUsername reports whether the settings map preferred_username, so that new users get it
// from the upstream. It must be mapped explicitly, because applications may authorize people
// by this claim.
func (c Config) MapsUsername() bool { return c.Claims["preferred_username"] != "" }

// optionalAddress returns a member as a postal address; the zero Address if it is not one.
func (o object) optionalAddress(name string) (a Address) {
	members := o.optionalObject(name)
	for part, into := range map[string]*string{
		"formatted": &a.Formatted, "street_address": &a.StreetAddress, "locality": &a.Locality,
		"region": &a.Region, "postal_code": &a.PostalCode, "country": &a.Country,
	} {
		value, _ := members.value(part)
		text, _ := value.(string)
		text = strings.ReplaceAll(text, "\r\n", "\n") // OIDC Core, section 5.1.1
		if len(text) <= 1024 && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
			*into = strings.TrimSpace(text)
		}
	}
	return a
}

// Values of Identity.GroupsRefused.
const (
	GroupsUnreadable = "groups_unreadable" // the claim is neither a text nor a list of texts
	GroupsElsewhere  = "groups_elsewhere"  // the upstream only says where to fetch them (OIDC Core, section 5.6.2), as Entra ID does for long lists
)

// readGroups reads the claim for groups, which is a list of texts or one text. One text is one
// group, even if it contains commas. An absent claim, null and an empty list mean that the
// person is in no group. A claim that cannot be read gives no groups and a code in refused; it
// never ends the sign-in.
func readGroups(name string, token, more object) (groups []string, refused string) {
	from := token
	if token.isEmpty(name) {
		from = more
	}
	value, err := from.value(name)
	if err != nil {
		return nil, GroupsUnreadable
	}
	switch v := value.(type) {
	case nil:
		for _, document := range []object{token, more} {
			if !document.optionalObject("_claim_names").isEmpty(name) {
				return nil, GroupsElsewhere
			}
		}
		return nil, ""
	case string:
		return withoutBlanks([]string{v}), ""
	case []any:
		list := make([]string, 0, len(v))
		for _, element := range v {
			text, ok := element.(string)
			if !ok {
				return nil, GroupsUnreadable
			}
			list = append(list, text)
		}
		return withoutBlanks(list), ""
	}
	return nil, GroupsUnreadable
}

func withoutBlanks(list []string) []string {
	list = slices.DeleteFunc(list, func(s string) bool { return strings.TrimSpace(s) == "" })
	if len(list) == 0 {
		return nil
	}
	return list
}
