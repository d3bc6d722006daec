package account

import (
	"net/http"

	"signet/templates"
)

// home shows the start page of the issuer, with the signed-in user if there is one.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) error {
	page := templates.Home{Common: h.Site.Common(), DemoPath: h.DemoPath, Account: h.Site.Base + "/account"}
	current, err := h.Visits.SignedIn(r)
	switch {
	case err != nil:
		return err
	case current != nil:
		page.User = &templates.Person{Name: current.User.Name, Email: current.User.Email}
		page.SignOut = h.Site.Base + "/end_session"
	}
	return h.Site.Show(w, page)
}
