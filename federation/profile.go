package federation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"signet/federation/foreign"
)

// textClaims are the claims about a person that are one text and decide nothing, by their
// standard names (OIDC Core, section 5.1).
func (i *Identity) textClaims() map[string]*string {
	return map[string]*string{
		"name": &i.Name, "given_name": &i.GivenName, "family_name": &i.FamilyName, "middle_name": &i.MiddleName, "nickname": &i.Nickname,
		"preferred_username": &i.Username, "profile": &i.ProfileURL, "picture": &i.Picture, "website": &i.Website, "gender": &i.Gender,
		"birthdate": &i.Birthdate, "zoneinfo": &i.Zoneinfo, "locale": &i.Locale, "phone_number": &i.PhoneNumber,
	}
}

// mappableClaims are the claims that settings may take from another claim of the upstream. Roles
// are not among them: no upstream gives any.
func mappableClaims() []string {
	return append(slices.Sorted(maps.Keys((&Identity{}).textClaims())), "email", "email_verified", "address", "groups")
}

// unmappableClaims are those that a type of upstream does not send as claims of one document.
func unmappableClaims(kind Kind) (names []string, why string) {
	switch kind {
	case GitHub:
		return []string{"email", "email_verified", "address", "groups"}, "GitHub tells of a person what GET /user does: of addresses it takes the primary one, and it has no groups"
	case Apple:
		return []string{"name", "given_name", "family_name"}, "Apple sends the name beside its token, at the first sign-in"
	}
	return nil, ""
}

// checkMapping judges the setting claims.
func checkMapping(c Config) error {
	never, why := unmappableClaims(c.Kind)
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		switch {
		case !slices.Contains(mappableClaims(), name):
			return misconfigured(c, "claims", fmt.Sprintf("names %q: only %s can be mapped", foreign.ForError(name), strings.Join(mappableClaims(), ", ")))
		case slices.Contains(never, name):
			return misconfigured(c, "claims", fmt.Sprintf("maps %s, which does nothing with type %s: %s", name, c.Kind, why))
		case strings.TrimSpace(c.Claims[name]) == "":
			return misconfigured(c, "claims", fmt.Sprintf("maps %s to nothing: name a claim of the upstream, or leave it out", name))
		}
	}
	return nil
}

// MapsUsername reports whether the settings name the claim that gives new users their
// preferred_username. Applications let people in by it, so that no upstream gives one
// unasked.
func (c Config) MapsUsername() bool { return c.Claims["preferred_username"] != "" }

// optionalAddress is a member that nothing depends on: a postal address, or the zero Address if
// it is none.
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

// Reasons why groups were not taken: Identity.GroupsRefused.
const (
	GroupsUnreadable = "groups_unreadable" // not a text, nor a list of texts
	GroupsElsewhere  = "groups_elsewhere"  // the upstream says only where they could be asked for (OIDC Core, section 5.6.2), as Entra ID does of long lists
)

// readGroups reads the claim of groups, which is a list of texts or one text: a text is one
// group, even if it has commas. An absent claim, null and an empty list mean that the
// person is in no group. A claim that cannot be read gives none, and never ends the sign-in.
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
