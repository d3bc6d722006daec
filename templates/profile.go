package templates

import (
	"slices"

	"signet/templates/words"
)

// AccountProfile is the form for the profile.
type AccountProfile struct {
	Account
	Ticket string
	Errors []FormError // by field

	Name, GivenName, MiddleName, FamilyName, Nickname, PreferredUsername     string
	ProfileURL, Picture, Website, Gender, Birthdate, Zoneinfo, Locale, Phone string
	Formatted, StreetAddress, Locality, Region, PostalCode, Country          string // of the address

	FixedUsername  bool // the person cannot change PreferredUsername
	SharedUsername bool // another user has the same name, so applications do not get it
	PhoneVerified  bool // an operator has verified Phone
}

func (AccountProfile) page() string { return "accountprofile.html" }

// input is one field of a form.
type input struct {
	ID, Value          string
	Label, Hint        words.Sentence
	Type, Autocomplete string
	Section            words.Sentence // heading above the field; zero: none
	Lines              bool           // the text may have several lines
	Fixed              bool           // the page shows it, but the person cannot change it
	Wrong              words.Sentence // the error of the field; zero: none
}

// Inputs returns the fields of the form in their order. They have the names of the claims
// (OIDC Core, section 5.1), except profile_page. The parts of the address begin with address_.
func (p AccountProfile) Inputs() []input {
	fields := []input{
		{ID: "name", Label: words.Say("profile.name"), Value: p.Name, Type: "text", Autocomplete: "name"},
		{ID: "given_name", Label: words.Say("profile.given-name"), Value: p.GivenName, Type: "text", Autocomplete: "given-name"},
		{ID: "middle_name", Label: words.Say("profile.middle-name"), Value: p.MiddleName, Type: "text", Autocomplete: "additional-name"},
		{ID: "family_name", Label: words.Say("profile.family-name"), Value: p.FamilyName, Type: "text", Autocomplete: "family-name"},
		{ID: "nickname", Label: words.Say("profile.nickname"), Value: p.Nickname, Type: "text", Autocomplete: "nickname"},
		p.username(),
		{ID: "picture", Label: words.Say("profile.picture"), Value: p.Picture, Type: "url", Autocomplete: "photo", Hint: words.Say("profile.picture-hint")},
		{ID: "website", Label: words.Say("profile.website"), Value: p.Website, Type: "url", Autocomplete: "url"},
		{ID: "profile_page", Label: words.Say("profile.page"), Value: p.ProfileURL, Type: "url", Autocomplete: "off", Hint: words.Say("profile.page-hint")},
		{ID: "zoneinfo", Label: words.Say("profile.zone"), Value: p.Zoneinfo, Type: "text", Autocomplete: "off", Hint: words.Say("profile.zone-hint")},
		{ID: "locale", Label: words.Say("profile.language"), Value: p.Locale, Type: "text", Autocomplete: "language", Hint: words.Say("profile.language-hint")},
		{ID: "birthdate", Label: words.Say("profile.birthdate"), Value: p.Birthdate, Type: "text", Autocomplete: "bday", Hint: words.Say("profile.birthdate-hint")},
		{ID: "gender", Label: words.Say("profile.gender"), Value: p.Gender, Type: "text", Autocomplete: "sex"},
		p.phone(),
	}
	fields = append(fields, p.address()...)
	refused := func(e FormError) bool { return e.Field == "preferred_username" }
	if p.FixedUsername && p.PreferredUsername == "" && !slices.ContainsFunc(p.Errors, refused) {
		fields = slices.DeleteFunc(fields, func(f input) bool { return f.ID == "preferred_username" })
	}
	for i := range fields {
		for _, e := range p.Errors {
			if e.Field == fields[i].ID {
				fields[i].Wrong = e.Text
			}
		}
	}
	return fields
}

// username returns the field for preferred_username.
func (p AccountProfile) username() input {
	f := input{
		ID: "preferred_username", Label: words.Say("profile.username"), Value: p.PreferredUsername, Type: "text", Autocomplete: "off",
		Hint: words.Say("profile.username-hint"),
	}
	if p.FixedUsername {
		f.Fixed, f.Hint = true, words.Say("profile.username-fixed")
	}
	if p.SharedUsername {
		f.Hint = words.Say("profile.username-shared")
	}
	return f
}

func (p AccountProfile) phone() input {
	f := input{
		Section: words.Say("profile.reach"), ID: "phone_number", Label: words.Say("profile.phone"), Value: p.Phone, Type: "tel", Autocomplete: "tel",
		Hint: words.Say("profile.phone-hint"),
	}
	if p.PhoneVerified {
		f.Hint = words.Say("profile.phone-verified")
	}
	return f
}

// address returns the fields of the claim address (OIDC Core, section 5.1.1).
func (p AccountProfile) address() []input {
	return []input{
		{ID: "address_street_address", Label: words.Say("profile.street"), Value: lines(p.StreetAddress), Lines: true, Autocomplete: "street-address"},
		{ID: "address_postal_code", Label: words.Say("profile.postal-code"), Value: p.PostalCode, Type: "text", Autocomplete: "postal-code"},
		{ID: "address_locality", Label: words.Say("profile.city"), Value: p.Locality, Type: "text", Autocomplete: "address-level2"},
		{ID: "address_region", Label: words.Say("profile.region"), Value: p.Region, Type: "text", Autocomplete: "address-level1"},
		{ID: "address_country", Label: words.Say("profile.country"), Value: p.Country, Type: "text", Autocomplete: "country-name"},
		{ID: "address_formatted", Label: words.Say("profile.formatted"), Value: lines(p.Formatted), Lines: true, Autocomplete: "off", Hint: words.Say("profile.formatted-hint")},
	}
}
