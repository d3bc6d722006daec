package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
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

// errHiddenName: a person's name has invisible characters.
var errHiddenName = errors.New("has line breaks, control characters or marks that change the direction of text")

// ProfileField is a text of a user's profile with its rule. Each part of the address is a
// field.
type ProfileField struct {
	Name  string // name of the claim (OIDC Core, section 5.1), such as "address.country" for a part of the address
	Value func(*storage.Profile) *string
	// check returns the value in its canonical spelling, or an error. own replaces check, if
	// set, when people edit their own profiles.
	check, own func(value string, at time.Time) (string, error)
}

// profileFields is the only table of the texts of a profile, in the order in which callers
// show them.
var profileFields = []ProfileField{
	{Name: "name", Value: func(p *storage.Profile) *string { return &p.Name }, check: checkName},
	{Name: "given_name", Value: func(p *storage.Profile) *string { return &p.GivenName }, check: checkName},
	{Name: "middle_name", Value: func(p *storage.Profile) *string { return &p.MiddleName }, check: checkName},
	{Name: "family_name", Value: func(p *storage.Profile) *string { return &p.FamilyName }, check: checkName},
	{Name: "nickname", Value: func(p *storage.Profile) *string { return &p.Nickname }, check: checkName},
	{Name: "preferred_username", Value: func(p *storage.Profile) *string { return &p.PreferredUsername }, check: checkUsername, own: checkOwnUsername},
	{Name: "profile", Value: func(p *storage.Profile) *string { return &p.ProfileURL }, check: checkWebsite},
	{Name: "picture", Value: func(p *storage.Profile) *string { return &p.Picture }, check: checkPicture},
	{Name: "website", Value: func(p *storage.Profile) *string { return &p.Website }, check: checkWebsite},
	{Name: "gender", Value: func(p *storage.Profile) *string { return &p.Gender }, check: checkName},
	{Name: "birthdate", Value: func(p *storage.Profile) *string { return &p.Birthdate }, check: checkBirthdate},
	{Name: "zoneinfo", Value: func(p *storage.Profile) *string { return &p.Zoneinfo }, check: checkZone},
	{Name: "locale", Value: func(p *storage.Profile) *string { return &p.Locale }, check: checkLocale},
	{Name: "phone_number", Value: func(p *storage.Profile) *string { return &p.PhoneNumber }, check: checkPhone},
	{Name: "address.formatted", Value: func(p *storage.Profile) *string { return &p.Address.Formatted }, check: checkLines},
	{Name: "address.street_address", Value: func(p *storage.Profile) *string { return &p.Address.StreetAddress }, check: checkLines},
	{Name: "address.locality", Value: func(p *storage.Profile) *string { return &p.Address.Locality }, check: checkName},
	{Name: "address.region", Value: func(p *storage.Profile) *string { return &p.Address.Region }, check: checkName},
	{Name: "address.postal_code", Value: func(p *storage.Profile) *string { return &p.Address.PostalCode }, check: checkName},
	{Name: "address.country", Value: func(p *storage.Profile) *string { return &p.Address.Country }, check: checkName},
}

// ProfileFields lists the texts of a profile in the order in which callers show them.
func ProfileFields() []ProfileField { return slices.Clone(profileFields) }

// UpdateProfile replaces the profile of a user by p, as the user has edited it. u is the user
// that the form showed. Event user.updated.
//
// Errors: a *FieldError for each field that breaks a rule of CheckProfile, joined.
// storage.ErrConflict: the user was changed after p.Seen. storage.ErrUsernameTaken.
// storage.ErrRevoked: the user is deleted or disabled.
func (d *Directory) UpdateProfile(ctx context.Context, u storage.User, p storage.Profile, from storage.Origin) error {
	var wrong []error
	for _, problem := range CheckProfile(&p, storage.ProfileOf(u), d.now()) {
		wrong = append(wrong, problem)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	return d.db.UpdateProfile(ctx, u.ID, p, d.by(from))
}

// CheckProfile checks a profile that a user edited at this time, and changes each value to
// its canonical spelling. It returns one error for each field that breaks a rule. Empty
// values and values that did not change are valid.
func CheckProfile(p *storage.Profile, before storage.Profile, at time.Time) []*FieldError {
	return checkFields(p, before, at, func(f ProfileField) func(string, time.Time) (string, error) {
		if f.own != nil {
			return f.own
		}
		return f.check
	})
}

// checkRevised is CheckProfile for a profile that an operator edited.
func checkRevised(p *storage.Profile, before storage.Profile, at time.Time) []*FieldError {
	return checkFields(p, before, at, func(f ProfileField) func(string, time.Time) (string, error) { return f.check })
}

func checkFields(p *storage.Profile, before storage.Profile, at time.Time, rule func(ProfileField) func(string, time.Time) (string, error)) []*FieldError {
	var wrong []*FieldError
	for _, f := range profileFields {
		value := f.Value(p)
		if *value == "" || *value == *f.Value(&before) {
			continue
		}
		spelled, err := rule(f)(strings.TrimSpace(*value), at)
		if err != nil {
			wrong = append(wrong, &FieldError{f.Name, fmt.Errorf("%q %w", shortened(*value), err)})
			continue
		}
		*value = spelled
	}
	return wrong
}

// CheckName checks the name of a person, a role or a group. ErrLongName: it is too long.
// Another error: it has invisible characters.
func CheckName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return ErrLongName
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || foreign.IsMisleading(r) }):
		return errHiddenName
	}
	return nil
}

func checkName(name string, _ time.Time) (string, error) { return name, CheckName(name) }

// checkLines checks a text that may have several lines (OIDC Core, section 5.1.1).
func checkLines(text string, at time.Time) (string, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	_, err := checkName(strings.ReplaceAll(text, "\n", " "), at)
	return text, err
}

// checkUsername checks a username that an operator sets. It must differ from others after
// storage.FoldUsername, so it needs a letter or a digit.
func checkUsername(name string, _ time.Time) (string, error) {
	if storage.FoldUsername(name) == "" {
		return name, errors.New("has no letter or digit")
	}
	return checkName(name, time.Time{})
}

var ownUsername = regexp.MustCompile(`^[\pL\pN][\pL\pM\pN._-]*$`)

// checkOwnUsername checks that a username is one word. With an @ it could look like the email
// address of another person, and applications may use the claim as a key.
func checkOwnUsername(name string, _ time.Time) (string, error) {
	if utf8.RuneCountInString(name) > maxName || !ownUsername.MatchString(name) {
		return name, errors.New("is not a word of letters, digits, dots, hyphens and underscores")
	}
	return name, nil
}

func checkPicture(uri string, _ time.Time) (string, error) { return uri, checkLink(uri, "https") }

func checkWebsite(uri string, _ time.Time) (string, error) {
	return uri, checkLink(uri, "https", "http")
}

func checkLink(uri string, schemes ...string) error {
	hidden := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || foreign.IsMisleading(r) }
	u, err := url.Parse(uri)
	if err != nil || len(uri) > maxLink || strings.ContainsFunc(uri, hidden) || u.Hostname() == "" || u.User != nil || !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("is not a web address with the scheme %s", strings.Join(schemes, " or "))
	}
	return nil
}

const oldestYear = 1850 // older birth dates are typing errors

var errBirthdate = errors.New("is not a date such as 1990-12-10, 0000-12-10 without the year, or 1990 for the year alone")

// checkBirthdate checks a date of ISO 8601 or a year alone (OIDC Core, section 5.1). The year
// 0000 means that the person does not state the year. A date in the future is refused.
func checkBirthdate(date string, at time.Time) (string, error) {
	whole := date
	switch {
	case strings.HasPrefix(date, "0000-"):
		whole = "2000" + date[4:] // a leap year, as 0000 is
	case len(date) == len("1990"):
		whole += "-01-01"
	}
	born, err := time.Parse(time.DateOnly, whole)
	if err != nil || born.Year() < oldestYear || born.After(at.AddDate(0, 0, 1)) { // tomorrow has begun in some time zones
		return date, errBirthdate
	}
	return date, nil
}

var (
	phone        = regexp.MustCompile(`^\+[1-9][0-9]{3,14}(;ext=[0-9]{1,11})?$`)
	phoneSpacing = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", ".", "", "(", "", ")", "", "/", "")
)

// checkPhone checks a number in the form of E.164, with an optional extension as in RFC 3966
// (OIDC Core, section 5.1). It removes characters that only group the digits.
func checkPhone(number string, _ time.Time) (string, error) {
	spelled := phoneSpacing.Replace(number)
	if !phone.MatchString(spelled) {
		return number, errors.New("is not a phone number with + and the country code, such as +41446681800")
	}
	return spelled, nil
}

// checkZone checks a name of the time zone database (OIDC Core, section 5.1).
func checkZone(name string, _ time.Time) (string, error) {
	_, err := foreign.TimeZone(name)
	return name, err
}

// checkLocale checks a language tag (BCP 47) and returns it in its usual spelling.
func checkLocale(tag string, _ time.Time) (string, error) {
	parsed, err := language.Parse(tag)
	if err != nil || len(tag) > maxLocale || parsed == language.Und {
		return tag, errors.New("is not a language tag such as en-GB")
	}
	return parsed.String(), nil
}
