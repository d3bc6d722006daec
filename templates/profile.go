package templates

import "slices"

// AccountProfile is the form that edits the profile.
type AccountProfile struct {
	Account
	Ticket string
	Errors []FormError // by field

	Name, GivenName, MiddleName, FamilyName, Nickname, PreferredUsername     string
	ProfileURL, Picture, Website, Gender, Birthdate, Zoneinfo, Locale, Phone string
	Formatted, StreetAddress, Locality, Region, PostalCode, Country          string // of the address

	FixedUsername  bool // the person may not change PreferredUsername
	SharedUsername bool // another user has it too, and no application is told
	PhoneVerified  bool // an operator knows that Phone is the person's
}

func (AccountProfile) page() string { return "accountprofile.html" }

// input is one text in a form.
type input struct {
	ID, Label, Value, Hint string
	Type, Autocomplete     string
	Section                string // heading above it, "" for none
	Lines                  bool   // it may have several lines
	Fixed                  bool   // shown, and not to be changed
	Wrong                  string // what is wrong with it, "" for nothing
}

// Inputs are the form's fields in their order. Their names are those of the claims
// (OIDC Core, section 5.1), but for profile_page, and with address_ in front of the parts
// of the address.
func (p AccountProfile) Inputs() []input {
	fields := []input{
		{ID: "name", Label: "Full name", Value: p.Name, Type: "text", Autocomplete: "name"},
		{ID: "given_name", Label: "Given name", Value: p.GivenName, Type: "text", Autocomplete: "given-name"},
		{ID: "middle_name", Label: "Middle name", Value: p.MiddleName, Type: "text", Autocomplete: "additional-name"},
		{ID: "family_name", Label: "Family name", Value: p.FamilyName, Type: "text", Autocomplete: "family-name"},
		{ID: "nickname", Label: "Nickname", Value: p.Nickname, Type: "text", Autocomplete: "nickname"},
		p.username(),
		{ID: "picture", Label: "Picture", Value: p.Picture, Type: "url", Autocomplete: "photo", Hint: "The address of a picture, with https://."},
		{ID: "website", Label: "Website", Value: p.Website, Type: "url", Autocomplete: "url"},
		{ID: "profile_page", Label: "Page about you", Value: p.ProfileURL, Type: "url", Autocomplete: "off", Hint: "The address of a page that tells who you are."},
		{ID: "zoneinfo", Label: "Time zone", Value: p.Zoneinfo, Type: "text", Autocomplete: "off", Hint: "Such as Europe/Berlin."},
		{ID: "locale", Label: "Language", Value: p.Locale, Type: "text", Autocomplete: "language", Hint: "Its tag, such as en-GB or de."},
		{ID: "birthdate", Label: "Date of birth", Value: p.Birthdate, Type: "text", Autocomplete: "bday", Hint: "Such as 1990-12-10. Write 0000 for a year that you do not want to tell, or the year alone."},
		{ID: "gender", Label: "Gender", Value: p.Gender, Type: "text", Autocomplete: "sex"},
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
				fields[i].Wrong = e.Text.String()
			}
		}
	}
	return fields
}

// username is the field of the name that applications know the person by.
func (p AccountProfile) username() input {
	f := input{
		ID: "preferred_username", Label: "User name", Value: p.PreferredUsername, Type: "text", Autocomplete: "off",
		Hint: "What applications may call you: letters, digits, dots, hyphens and underscores. Nobody else can have it. You sign in with your email.",
	}
	if p.FixedUsername {
		f.Fixed, f.Hint = true, "What applications may call you. An administrator can change it."
	}
	if p.SharedUsername {
		f.Hint = "Somebody else has this user name too, or one that looks like it, so applications are not told it. An administrator can change it."
	}
	return f
}

func (p AccountProfile) phone() input {
	f := input{
		Section: "How to reach you", ID: "phone_number", Label: "Phone number", Value: p.Phone, Type: "tel", Autocomplete: "tel",
		Hint: "With + and the code of the country, such as +41 44 668 18 00.",
	}
	if p.PhoneVerified {
		f.Hint = "Applications are told that this number was checked. They are not told that of another one."
	}
	return f
}

// address are the fields of the claim of that name (OIDC Core, section 5.1.1).
func (p AccountProfile) address() []input {
	return []input{
		{ID: "address_street_address", Label: "Street and number", Value: lines(p.StreetAddress), Lines: true, Autocomplete: "street-address"},
		{ID: "address_postal_code", Label: "Postal code", Value: p.PostalCode, Type: "text", Autocomplete: "postal-code"},
		{ID: "address_locality", Label: "City", Value: p.Locality, Type: "text", Autocomplete: "address-level2"},
		{ID: "address_region", Label: "State or region", Value: p.Region, Type: "text", Autocomplete: "address-level1"},
		{ID: "address_country", Label: "Country", Value: p.Country, Type: "text", Autocomplete: "country-name"},
		{ID: "address_formatted", Label: "Address as on a letter", Value: lines(p.Formatted), Lines: true, Autocomplete: "off", Hint: "The whole of it, with its lines."},
	}
}
