package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"signet/federation/foreign"
	"signet/storage"
)

const (
	maxName   = 200  // characters
	maxLink   = 1000 // bytes
	maxLocale = 100  // bytes
)

// ErrLongName: a person's name has more than 200 characters.
var ErrLongName = fmt.Errorf("has more than %d characters", maxName)

// errHiddenName: a person's name has characters that nobody sees.
var errHiddenName = errors.New("has line breaks, control characters or marks that change the direction of text")

// profileRules are the rules of what people say of themselves. Each check gives the value
// in its one spelling. They are stricter than those of CreateUser and ReviseUser: an
// administrator may set what a person may not.
var profileRules = []struct {
	field string
	value func(*storage.Profile) *string
	check func(string) (string, error)
}{
	{"name", func(p *storage.Profile) *string { return &p.Name }, checkName},
	{"given_name", func(p *storage.Profile) *string { return &p.GivenName }, checkName},
	{"family_name", func(p *storage.Profile) *string { return &p.FamilyName }, checkName},
	{"nickname", func(p *storage.Profile) *string { return &p.Nickname }, checkName},
	{"preferred_username", func(p *storage.Profile) *string { return &p.PreferredUsername }, checkOwnUsername},
	{"picture", func(p *storage.Profile) *string { return &p.Picture }, checkPicture},
	{"website", func(p *storage.Profile) *string { return &p.Website }, checkWebsite},
	{"zoneinfo", func(p *storage.Profile) *string { return &p.Zoneinfo }, checkZone},
	{"locale", func(p *storage.Profile) *string { return &p.Locale }, checkLocale},
}

// ProfileOf gives what people may edit of a user, as it is.
func ProfileOf(u storage.User) storage.Profile {
	return storage.Profile{
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Nickname: u.Nickname,
		PreferredUsername: u.PreferredUsername, Picture: u.Picture, Website: u.Website,
		Zoneinfo: u.Zoneinfo, Locale: u.Locale,
	}
}

// UpdateProfile replaces the profile of a user, whom the person has seen as u. Event
// user.updated.
//
// *FieldError, of each field that breaks a rule of CheckProfile; storage.ErrConflict: the
// user was changed after p.Seen; storage.ErrUsernameTaken; storage.ErrRevoked: the user is
// gone or disabled.
func (d *Directory) UpdateProfile(ctx context.Context, u storage.User, p storage.Profile, from storage.Origin) error {
	var wrong []error
	for _, problem := range CheckProfile(&p, ProfileOf(u)) {
		wrong = append(wrong, problem)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	return d.db.UpdateProfile(ctx, u.ID, p, d.by(from))
}

// CheckProfile says what breaks a rule in a profile that a person has edited, field by
// field, and writes the locale in its one spelling. Empty values are right, and so is a
// value that stood there before.
func CheckProfile(p *storage.Profile, before storage.Profile) []*FieldError {
	var wrong []*FieldError
	for _, rule := range profileRules {
		value := rule.value(p)
		if *value == "" || *value == *rule.value(&before) {
			continue
		}
		spelled, err := rule.check(*value)
		if err != nil {
			wrong = append(wrong, &FieldError{rule.field, fmt.Errorf("%q %w", shortened(*value), err)})
			continue
		}
		*value = spelled
	}
	return wrong
}

// CheckName says why people cannot have that name: ErrLongName, or it has characters that
// cannot be seen.
func CheckName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return ErrLongName
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || foreign.IsMisleading(r) }):
		return errHiddenName
	}
	return nil
}

func checkName(name string) (string, error) { return name, CheckName(name) }

var ownUsername = regexp.MustCompile(`^[\pL\pN][\pL\pM\pN._-]*$`)

// checkOwnUsername wants a word: with an @ it could pass for the address of somebody
// else at an application that takes the claim for a key.
func checkOwnUsername(name string) (string, error) {
	if utf8.RuneCountInString(name) > maxName || !ownUsername.MatchString(name) {
		return name, errors.New("is not a word of letters, digits, dots, hyphens and underscores")
	}
	return name, nil
}

func checkPicture(uri string) (string, error) { return uri, checkLink(uri, "https") }

func checkWebsite(uri string) (string, error) { return uri, checkLink(uri, "https", "http") }

func checkLink(uri string, schemes ...string) error {
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || foreign.IsMisleading(r) }
	u, err := url.Parse(uri)
	if err != nil || len(uri) > maxLink || strings.ContainsFunc(uri, hidden) || u.Hostname() == "" || u.User != nil || !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("is not an address of the web with the scheme %s", strings.Join(schemes, " or "))
	}
	return nil
}

// checkZone wants a name of the time zone database (OIDC Core, section 5.1).
func checkZone(name string) (string, error) {
	_, err := foreign.TimeZone(name)
	return name, err
}

// checkLocale wants a language tag (BCP 47), and writes it in its usual spelling.
func checkLocale(tag string) (string, error) {
	parsed, err := language.Parse(tag)
	if err != nil || len(tag) > maxLocale || parsed == language.Und {
		return tag, errors.New("is not the tag of a language, such as en-GB")
	}
	return parsed.String(), nil
}
