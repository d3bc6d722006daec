package user

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/cli"
	"signet/provider/directory"
	"signet/storage"
)

// userFlags are the flags of what an administrator sets of a user.
type userFlags struct {
	flags *pflag.FlagSet
	set   []setter
}

// setter writes what a flag was given into a user.
type setter struct {
	flag string
	set  func(*storage.User)
}

// aboutFields says what the flag of each text of a profile is for.
var aboutFields = map[string]string{
	"name":                   "full name",
	"given_name":             "given name",
	"middle_name":            "middle name",
	"family_name":            "family name",
	"nickname":               "nickname",
	"preferred_username":     "user name that applications are told: letters and digits, unlike any other user's; nobody signs in with it",
	"profile":                "address of a page about the user",
	"picture":                "address of a picture, with https://",
	"website":                "address of the user's website",
	"gender":                 "gender, such as female or male",
	"birthdate":              "date of birth, such as 1990-12-10; 0000-12-10 without its year, 1990 for the year alone",
	"zoneinfo":               "time zone, such as Europe/Zurich",
	"locale":                 "language, such as de-CH",
	"phone_number":           "phone number with the code of its country, such as +41446681800",
	"address.formatted":      "postal address as on a letter, with its lines",
	"address.street_address": "street and house number",
	"address.locality":       "city",
	"address.region":         "state, province or region",
	"address.postal_code":    "postal code",
	"address.country":        "country",
}

// flagOf is the name of the flag that sets a field of a user.
func flagOf(field string) string {
	switch field {
	case "roles", "groups": // each flag gives one
		return strings.TrimSuffix(field, "s")
	}
	return strings.NewReplacer("_", "-", ".", "-").Replace(field)
}

func addUserFlags(c *cobra.Command) *userFlags {
	f := &userFlags{flags: c.Flags()}
	email := f.flags.String("email", "", "address to sign in with and to write to")
	f.add("email", func(u *storage.User) { u.Email = *email })
	for _, field := range directory.ProfileFields() {
		value := f.flags.String(flagOf(field.Name), "", aboutFields[field.Name])
		f.add(flagOf(field.Name), func(u *storage.User) {
			p := storage.ProfileOf(*u)
			*field.Value(&p) = *value
			p.ApplyTo(u)
		})
	}
	f.list("role", "role to have (repeat for more)", func(u *storage.User) *[]string { return &u.Roles })
	f.list("group", "group to be in (repeat for more); groups that a connector brings stay apart", func(u *storage.User) *[]string { return &u.Groups })
	// These stand behind their address and number: a new number is not verified unless its flag
	// says so.
	f.truth("email-verified", "you know that the address is the user's: it counts as proven", func(u *storage.User) *bool { return &u.EmailVerified })
	f.truth("phone-number-verified", "you know that the phone number is the user's; a new number without this is not verified",
		func(u *storage.User) *bool { return &u.PhoneNumberVerified })
	return f
}

func (f *userFlags) add(flag string, set func(*storage.User)) {
	f.set = append(f.set, setter{flag, set})
}

func (f *userFlags) list(name, about string, field func(*storage.User) *[]string) {
	value := f.flags.StringArray(name, nil, about)
	f.add(name, func(u *storage.User) { *field(u) = cli.DropEmpty(*value) })
}

func (f *userFlags) truth(name, about string, field func(*storage.User) *bool) {
	value := f.flags.Bool(name, false, about)
	f.add(name, func(u *storage.User) { *field(u) = *value })
}

// onto writes what was given, and reports whether anything was.
func (f *userFlags) onto(u *storage.User) (given bool) {
	for _, s := range f.set {
		if f.flags.Changed(s.flag) {
			s.set(u)
			given = true
		}
	}
	return given
}

// check refuses what no user may have, before anything is read or done for it.
func (f *userFlags) check(u storage.User, at time.Time) error {
	var wrong error
	if f.flags.Changed("email") {
		wrong = directory.CheckEmail(u.Email)
	}
	return namingFlag(cmp.Or(wrong, directory.CheckChange(storage.User{}, &u, at)))
}

// namingFlag names the flag that sets the field which breaks a rule.
func namingFlag(err error) error {
	if wrong, is := errors.AsType[*directory.FieldError](err); is {
		return fmt.Errorf("--%s %w", flagOf(wrong.Field), wrong.Cause)
	}
	return err
}

// emailVerified is what was said of the address; nil for nothing.
func (f *userFlags) emailVerified() *bool {
	return f.said("email-verified", func(u storage.User) bool { return u.EmailVerified })
}

// phoneVerified is what was said of the phone number; nil for nothing.
func (f *userFlags) phoneVerified() *bool {
	return f.said("phone-number-verified", func(u storage.User) bool { return u.PhoneNumberVerified })
}

func (f *userFlags) said(flag string, value func(storage.User) bool) *bool {
	if !f.flags.Changed(flag) {
		return nil
	}
	var u storage.User
	f.onto(&u)
	said := value(u)
	return &said
}
