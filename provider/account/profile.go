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
	"signet/templates/words"
)

// profileFields returns the names of all form fields. The form can change nothing else.
func profileFields() []string {
	var names []string
	for _, f := range directory.ProfileFields() {
		names = append(names, fieldName(f.Name))
	}
	return names
}

// fieldName returns the form field for a profile field, for example "address_country" for
// "address.country". The field "profile" gets another name because it is the id of the form.
func fieldName(name string) string {
	if name == "profile" {
		return "profile_page"
	}
	return strings.ReplaceAll(name, ".", "_")
}

// showProfile shows the form with the stored profile.
func (h *Handler) showProfile(w http.ResponseWriter, r *http.Request, current session.Current) error {
	page, err := h.profilePage(r, current, storage.ProfileOf(current.User))
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// profilePage returns the form with the values of p.
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

// saveProfile replaces the profile, unless it has changed since the form was shown.
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
		wrong = append(wrong, wrongUsername("username_fixed", words.Say("profile-error.username-fixed")))
		wanted.PreferredUsername = old.PreferredUsername // the form shown next cannot edit it
	}
	if len(wrong) > 0 {
		return h.refuseProfile(w, r, current, wanted, wrong...)
	}
	wanted.Seen = current.User.UpdatedAt
	err = h.Directory.UpdateProfile(r.Context(), current.User, wanted, web.TraceOf(r.Context()).Origin())
	if errors.Is(err, storage.ErrUsernameTaken) {
		web.TraceOf(r.Context()).Note("code", "username_taken")
		return h.refuseProfile(w, r, current, wanted,
			wrongUsername("username_taken", words.Say("profile-error.username-taken")))
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Site.Base+profilePath, err)
	}
	if err != nil {
		return err
	}
	return h.showDone(w, profilePath, "profile")
}

// refuseProfile shows the form again, with the messages at their fields.
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

func wrongUsername(code string, text words.Sentence) templates.FormError {
	return templates.FormError{Code: code, Field: "preferred_username", Text: text}
}

// version returns the version of the profile, for the ticket of the form. An edit of an
// older version is refused: it would undo a change that its author has not seen.
func version(u storage.User) string { return strconv.FormatInt(int64(u.UpdatedAt), 10) }

// profileIn returns the posted profile. An empty field clears its value. The user name stays
// unchanged if the form does not have it.
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
