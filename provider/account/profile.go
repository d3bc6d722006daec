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

// profileFields are the form's fields, and all that it may change.
var profileFields = []string{
	"name", "given_name", "family_name", "nickname", "preferred_username", "picture", "website", "zoneinfo", "locale",
}

// showProfile shows the profile as it stands.
func (h *Handler) showProfile(w http.ResponseWriter, r *http.Request, current session.Current) error {
	page, err := h.profilePage(r, current, directory.ProfileOf(current.User))
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
		Name: p.Name, GivenName: p.GivenName, FamilyName: p.FamilyName, Nickname: p.Nickname,
		PreferredUsername: p.PreferredUsername, Picture: p.Picture, Website: p.Website,
		Zoneinfo: p.Zoneinfo, Locale: p.Locale, FixedUsername: !h.EditUsername,
		SharedUsername: p.PreferredUsername == current.User.PreferredUsername && p.PreferredUsername != "" && !current.User.UsernameUnique(),
	}, err
}

// saveProfile replaces the profile, unless it was changed since it was shown.
func (h *Handler) saveProfile(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := form(w, r, profileFields...)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, ticketOf(current, "profile", version(current.User)), profilePath); err != nil {
		return err
	}
	wanted := profileIn(values)
	old := directory.ProfileOf(current.User)
	if !h.EditUsername && !values.Has("preferred_username") {
		wanted.PreferredUsername = old.PreferredUsername
	}
	wrong := checkProfile(&wanted, old)
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
		return web.Stale(h.Site.Base+profilePath, err)
	}
	if err != nil {
		return err
	}
	return h.finished(w, profilePath, "profile")
}

// refuseProfile shows the form again, with what is wrong in it.
func (h *Handler) refuseProfile(w http.ResponseWriter, r *http.Request, current session.Current, p storage.Profile, wrong ...templates.FormError) error {
	page, err := h.profilePage(r, current, p)
	if err != nil {
		return err
	}
	for _, one := range wrong {
		page.Errors = append(page.Errors, *web.Referenced(r, &one))
	}
	return h.Site.ShowStatus(w, http.StatusUnprocessableEntity, page)
}

func wrongUsername(code, text string) templates.FormError {
	return templates.FormError{Code: code, Field: "preferred_username", Text: text}
}

// version is what the ticket says was shown: an edit of what has changed since
// would undo that unseen.
func version(u storage.User) string { return strconv.FormatInt(int64(u.UpdatedAt), 10) }

func profileIn(form url.Values) storage.Profile {
	value := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	return storage.Profile{
		Name: value("name"), GivenName: value("given_name"), FamilyName: value("family_name"),
		Nickname: value("nickname"), PreferredUsername: value("preferred_username"),
		Picture: value("picture"), Website: value("website"), Zoneinfo: value("zoneinfo"), Locale: value("locale"),
	}
}
