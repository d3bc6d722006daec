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

// userFlags holds the flags of the fields of a user that an operator can set.
type userFlags struct {
	flags *pflag.FlagSet
	set   []setter
}

// setter sets the field of a user to the value of a flag.
type setter struct {
	flag string
	set  func(*storage.User)
}

// flagHelp holds the help text of the flag of each profile field.
var flagHelp = map[string]string{
	"name":                   "full name",
	"given_name":             "given name",
	"middle_name":            "middle name",
	"family_name":            "family name",
	"nickname":               "nickname",
	"preferred_username":     "user name for applications, of letters and digits; no other user may have a similar one; users cannot sign in with it",
	"profile":                "URL of a page about the user",
	"picture":                "URL of a picture, with https://",
	"website":                "URL of the user's website",
	"gender":                 "gender, such as female or male",
	"birthdate":              "date of birth, such as 1990-12-10; 0000-12-10 without a year, 1990 for only the year",
	"zoneinfo":               "time zone, such as Europe/Zurich",
	"locale":                 "language, such as de-CH",
	"phone_number":           "phone number with the country code, such as +41446681800",
	"address.formatted":      "postal address with line breaks, as on a letter",
	"address.street_address": "street and house number",
	"address.locality":       "city",
	"address.region":         "state, province or region",
	"address.postal_code":    "postal code",
	"address.country":        "country",
}

// flagOf returns the name of the flag that sets a field of a user.
func flagOf(field string) string {
	switch field {
	case "roles", "groups": // each flag adds one
		return strings.TrimSuffix(field, "s")
	}
	return strings.NewReplacer("_", "-", ".", "-").Replace(field)
}

func addUserFlags(c *cobra.Command) *userFlags {
	f := &userFlags{flags: c.Flags()}
	email := f.flags.String("email", "", "email address, used to sign in and to contact the user")
	f.add("email", func(u *storage.User) { u.Email = *email })
	for _, field := range directory.ProfileFields() {
		value := f.flags.String(flagOf(field.Name), "", flagHelp[field.Name])
		f.add(flagOf(field.Name), func(u *storage.User) {
			p := storage.ProfileOf(*u)
			*field.Value(&p) = *value
			p.ApplyTo(u)
		})
	}
	f.addList("role", "role of the user (repeat for more)", func(u *storage.User) *[]string { return &u.Roles })
	f.addList("group", "group of the user (repeat for more); the groups of a connector are separate", func(u *storage.User) *[]string { return &u.Groups })
	// These come after the address and the number: a new number is not verified unless its flag is
	// passed.
	f.addBool("email-verified", "confirm that the email address belongs to the user, so that it counts as proven", func(u *storage.User) *bool { return &u.EmailVerified })
	f.addBool("phone-number-verified", "confirm that the phone number belongs to the user; without it, a new number is not verified",
		func(u *storage.User) *bool { return &u.PhoneNumberVerified })
	return f
}

func (f *userFlags) add(flag string, set func(*storage.User)) {
	f.set = append(f.set, setter{flag, set})
}

func (f *userFlags) addList(name, help string, field func(*storage.User) *[]string) {
	value := f.flags.StringArray(name, nil, help)
	f.add(name, func(u *storage.User) { *field(u) = cli.DropEmpty(*value) })
}

func (f *userFlags) addBool(name, help string, field func(*storage.User) *bool) {
	value := f.flags.Bool(name, false, help)
	f.add(name, func(u *storage.User) { *field(u) = *value })
}

// apply sets the fields of u for all passed flags, and reports whether there was one.
func (f *userFlags) apply(u *storage.User) (anyPassed bool) {
	for _, s := range f.set {
		if f.flags.Changed(s.flag) {
			s.set(u)
			anyPassed = true
		}
	}
	return anyPassed
}

// check returns an error if the flags set a value that no user may have.
func (f *userFlags) check(u storage.User, at time.Time) error {
	var wrong error
	if f.flags.Changed("email") {
		wrong = directory.CheckEmail(u.Email)
	}
	return withFlagName(cmp.Or(wrong, directory.CheckUserChange(storage.User{}, &u, at)))
}

// withFlagName adds the name of the flag to the error of a field.
func withFlagName(err error) error {
	if wrong, is := errors.AsType[*directory.FieldError](err); is {
		return fmt.Errorf("--%s %w", flagOf(wrong.Field), wrong.Cause)
	}
	return err
}

// emailVerified returns the value of --email-verified; nil if it was not passed.
func (f *userFlags) emailVerified() *bool {
	return f.passedBool("email-verified", func(u storage.User) bool { return u.EmailVerified })
}

// phoneVerified returns the value of --phone-number-verified; nil if it was not passed.
func (f *userFlags) phoneVerified() *bool {
	return f.passedBool("phone-number-verified", func(u storage.User) bool { return u.PhoneNumberVerified })
}

func (f *userFlags) passedBool(flag string, value func(storage.User) bool) *bool {
	if !f.flags.Changed(flag) {
		return nil
	}
	var u storage.User
	f.apply(&u)
	passed := value(u)
	return &passed
}
