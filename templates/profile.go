package templates

import "slices"

// AccountProfile is the form that edits the profile.
type AccountProfile struct {
	Account
	Ticket string
	Errors []FormError // by field

	Name, GivenName, FamilyName, Nickname, PreferredUsername string
	Picture, Website, Zoneinfo, Locale                       string

	FixedUsername  bool // the person may not change PreferredUsername
	SharedUsername bool // another user has it too, and no application is told
}

func (AccountProfile) page() string { return "accountprofile.html" }

// input is one line of text in a form.
type input struct {
	ID, Label, Value, Hint string
	Type, Autocomplete     string
	Fixed                  bool   // shown, and not to be changed
	Wrong                  string // what is wrong with it, "" for nothing
}

// Inputs are the form's fields in their order. Their names are those of the claims
// (OIDC Core, section 5.1).
func (p AccountProfile) Inputs() []input {
	fields := []input{
		{ID: "name", Label: "Full name", Value: p.Name, Type: "text", Autocomplete: "name"},
		{ID: "given_name", Label: "Given name", Value: p.GivenName, Type: "text", Autocomplete: "given-name"},
		{ID: "family_name", Label: "Family name", Value: p.FamilyName, Type: "text", Autocomplete: "family-name"},
		{ID: "nickname", Label: "Nickname", Value: p.Nickname, Type: "text", Autocomplete: "nickname"},
		p.username(),
		{ID: "picture", Label: "Picture", Value: p.Picture, Type: "url", Autocomplete: "photo", Hint: "The address of a picture, with https://."},
		{ID: "website", Label: "Website", Value: p.Website, Type: "url", Autocomplete: "url"},
		{ID: "zoneinfo", Label: "Time zone", Value: p.Zoneinfo, Type: "text", Autocomplete: "off", Hint: "Such as Europe/Berlin."},
		{ID: "locale", Label: "Language", Value: p.Locale, Type: "text", Autocomplete: "language", Hint: "Its tag, such as en-GB or de."},
	}
	refused := func(e FormError) bool { return e.Field == "preferred_username" }
	if p.FixedUsername && p.PreferredUsername == "" && !slices.ContainsFunc(p.Errors, refused) {
		fields = slices.DeleteFunc(fields, func(f input) bool { return f.ID == "preferred_username" })
	}
	for i := range fields {
		for _, e := range p.Errors {
			if e.Field == fields[i].ID {
				fields[i].Wrong = text(e.Text)
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
