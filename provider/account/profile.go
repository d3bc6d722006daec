package account

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signet/provider/directory"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// profileFields are the form's fields, and all that it may change: the texts of a profile.
func profileFields() []string {
	var names []string
	for _, f := range directory.ProfileFields() {
		names = append(names, fieldName(f.Name))
	}
	return names
}

// fieldName is the name of a profile's text in the form: "address_country" for the part
// of the address. The form itself has the id "profile".
func fieldName(name string) string {
	if name == "profile" {
		return "profile_page"
	}
	return strings.ReplaceAll(name, ".", "_")
}

// showProfile shows the profile as it stands.
func (h *Handler) showProfile(w http.ResponseWriter, r *http.Request, current session.Current) error {
	page, err := h.profilePage(r, current, storage.ProfileOf(current.User))
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// profilePage is the form with this profile.
func (h *Handler) profilePage(r *http.Request, current session.Current, p storage.Profile) (templates.AccountProfile, error) {
	ticket, err := h.ticket(current, "profile", version(current.User))
	return templates.AccountProfile{
		Account: h.frame(r, current, "profile"), Ticket: ticket,
		Name: p.Name, GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName, Nickname: p.Nickname,
		PreferredUsername: p.PreferredUsername, ProfileURL: p.ProfileURL, Picture: p.Picture, Website: p.Website,
		Gender: p.Gender, Birthdate: p.Birthdate, Zoneinfo: p.Zoneinfo, Locale: p.Locale, Phone: p.PhoneNumber,
		Formatted: p.Address.Formatted, StreetAddress: p.Address.StreetAddress, Locality: p.Address.Locality,
		Region: p.Address.Region, PostalCode: p.Address.PostalCode, Country: p.Address.Country,
		FixedUsername: !h.EditUsername, PhoneVerified: current.User.PhoneNumberVerified && p.PhoneNumber == current.User.PhoneNumber,
		SharedUsername: p.PreferredUsername == current.User.PreferredUsername && p.PreferredUsername != "" && !current.User.UsernameUnique(),
	}, err
}

// saveProfile replaces the profile, unless it was changed since it was shown.
func (h *Handler) saveProfile(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, profileFields()...)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "profile", version(current.User)), profilePath); err != nil {
		return err
	}
	old := storage.ProfileOf(current.User)
	wanted := h.profileIn(values, old)
	wrong := checkProfile(&wanted, old, h.Now())
	if !h.EditUsername && wanted.PreferredUsername != old.PreferredUsername {
		wrong = append(wrong, wrongUsername("username_fixed", "Only an administrator can change the user name."))
		wanted.PreferredUsername = old.PreferredUsername // which the form cannot change back
	}
	if len(wrong) > 0 {
		return h.refuseProfile(w, r, current, wanted, wrong...)
	}
	wanted.Seen = current.User.UpdatedAt
	err = h.Directory.UpdateProfile(r.Context(), current.User, wanted, web.TraceOf(r.Context()).Origin())
	if errors.Is(err, storage.ErrUsernameTaken) {
		web.TraceOf(r.Context()).Note("code", "username_taken")
		return h.refuseProfile(w, r, current, wanted,
			wrongUsername("username_taken", "Somebody else has this user name, or one that looks like it. Choose another."))
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Site.Base+profilePath, err)
	}
	if err != nil {
		return err
	}
	return h.showDone(w, profilePath, "profile")
}

// refuseProfile shows the form again, with what is wrong in it.
func (h *Handler) refuseProfile(w http.ResponseWriter, r *http.Request, current session.Current, p storage.Profile, wrong ...templates.FormError) error {
	page, err := h.profilePage(r, current, p)
	if err != nil {
		return err
	}
	for _, one := range wrong {
		page.Errors = append(page.Errors, *web.WithReference(r, &one))
	}
	return h.Site.ShowStatus(w, http.StatusUnprocessableEntity, page)
}

func wrongUsername(code, text string) templates.FormError {
	return templates.FormError{Code: code, Field: "preferred_username", Text: text}
}

// version is what the ticket says was shown: an edit of what has changed since
// would undo that unseen.
func version(u storage.User) string { return strconv.FormatInt(int64(u.UpdatedAt), 10) }

// profileIn is the profile that was posted. A field that was left empty is cleared, except
// for a user name that the form does not offer.
func (h *Handler) profileIn(form url.Values, before storage.Profile) storage.Profile {
	p := before
	for _, f := range directory.ProfileFields() {
		name := fieldName(f.Name)
		if f.Name == "preferred_username" && !h.EditUsername && !form.Has(name) {
			continue
		}
		*f.Value(&p) = strings.TrimSpace(strings.ReplaceAll(form.Get(name), "\r\n", "\n"))
	}
	return p
}
