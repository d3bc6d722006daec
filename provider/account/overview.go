package account

import (
	"net/http"

	"signet/provider/session"
	"signet/templates"
)

// overview shows the first page of the account. After a sign-in, administrators come here and not
// to the pages for operators, so they see the emergency links here too.
func (h *Handler) overview(w http.ResponseWriter, r *http.Request, current session.Current) error {
	sessions, err := h.DB.SessionsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	apps, err := h.DB.ConnectedClientsOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	has, err := h.hasPassword(r.Context(), current.User)
	if err != nil {
		return err
	}
	factors, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	emergency, err := h.Visits.EmergencyNotices(r.Context(), current.User)
	if err != nil {
		return err
	}
	page := templates.AccountOverview{
		Account: h.frame(r, current, "overview"), Emergency: emergency, Sessions: len(sessions), Apps: len(apps), NoPassword: !has, SecondFactor: factors.Any(),
	}
	if page.Email, err = h.emailState(current); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}
