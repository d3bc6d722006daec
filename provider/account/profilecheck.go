package account

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"signet/federation/foreign"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// longestLink in bytes.
const longestLink = 1000

// checkProfile says what is wrong, field by field, and writes the locale in its
// one spelling. A value that stands there already is kept as it is: an operator
// may have set what a person may not.
func checkProfile(p *storage.Profile, old storage.Profile) []templates.FormError {
	var wrong []templates.FormError
	for _, field := range []struct {
		id    string
		value *string
		old   string
		check func(*string) string
	}{
		{"name", &p.Name, old.Name, checkName},
		{"given_name", &p.GivenName, old.GivenName, checkName},
		{"family_name", &p.FamilyName, old.FamilyName, checkName},
		{"nickname", &p.Nickname, old.Nickname, checkName},
		{"preferred_username", &p.PreferredUsername, old.PreferredUsername, checkUsername},
		{"picture", &p.Picture, old.Picture, checkPicture},
		{"website", &p.Website, old.Website, checkWebsite},
		{"zoneinfo", &p.Zoneinfo, old.Zoneinfo, checkZone},
		{"locale", &p.Locale, old.Locale, checkLocale},
	} {
		if *field.value == "" || *field.value == field.old {
			continue
		}
		if text := field.check(field.value); text != "" {
			wrong = append(wrong, templates.FormError{Code: "invalid_profile", Field: field.id, Text: text})
		}
	}
	return wrong
}

func checkName(s *string) string { return web.CheckName(*s) }

var username = regexp.MustCompile(`^[\pL\pN][\pL\pM\pN._-]*$`)

// checkUsername wants a word: with an @ it could pass for the address of somebody
// else at an application that takes the claim for a key.
func checkUsername(s *string) string {
	if utf8.RuneCountInString(*s) > web.LongestName || !username.MatchString(*s) {
		return "Use letters, digits, dots, hyphens and underscores, and begin with a letter or digit."
	}
	return ""
}

func checkPicture(s *string) string {
	if !isLink(*s, "https") {
		return "Give the address of a picture that begins with https://."
	}
	return ""
}

func checkWebsite(s *string) string {
	if !isLink(*s, "https", "http") {
		return "Give an address that begins with https:// or http://."
	}
	return ""
}

func isLink(s string, schemes ...string) bool {
	if len(s) > longestLink || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || foreign.IsMisleading(r) }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}

// checkZone wants a name of the time zone database (OIDC Core, section 5.1).
func checkZone(s *string) string {
	if _, err := visit.Zone(*s); err != nil {
		return "Give a time zone by its name, such as Europe/Berlin."
	}
	return ""
}

// checkLocale wants a language tag (BCP 47), and writes it in its usual spelling.
func checkLocale(s *string) string {
	tag, err := language.Parse(*s)
	if err != nil || len(*s) > 100 || tag == language.Und {
		return "Give a language by its tag, such as en-GB or de."
	}
	*s = tag.String()
	return ""
}
