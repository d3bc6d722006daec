package address

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/link"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showEnrol shows the page of a link that comes before the first factor. It changes nothing. The link
// works only in a session of its user: otherwise a person who knows the password could have another
// person open it.
func (h *Handler) showEnrol(w http.ResponseWriter, r *http.Request) error {
	o, err := h.open(r, storage.LinkEnrol, r.URL.Query().Get(link.Parameter))
	if err != nil {
		return err
	}
	return h.Site.ShowSecretURL(w, http.StatusOK, templates.EnrolLink{Common: h.Site.Common(), Link: o.sealed, Email: o.Address, Own: o.own != nil, Other: o.other})
}

// enrol notes in the session that the person has opened the link, and goes on to the page that adds
// the factor. Without a session, the person signs in first and then sees the page of the link again.
func (h *Handler) enrol(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "act")
	if err != nil {
		return err
	}
	o, err := h.open(r, storage.LinkEnrol, form.Get(link.Parameter))
	if err != nil {
		return err
	}
	page := enrolPath + "?" + url.Values{link.Parameter: {o.sealed}}.Encode()
	if o.own == nil {
		if form.Get("act") != "sign-in" || o.other { // the session of the page has ended
			return web.StaleForm(h.Site.Base+page, storage.ErrRevoked)
		}
		return h.Visits.StepUp(w, r, visit.Act{Name: "security", Page: page, Back: accountPath})
	}
	err = h.DB.ConfirmEnrolment(r.Context(), storage.EnrolmentConfirmation{
		Link: o.Ref(), UserID: o.UserID, SessionID: o.own.ID, From: web.TraceOf(r.Context()).Origin(),
	}, h.Now())
	if errors.Is(err, storage.ErrRevoked) {
		return web.StaleForm(h.Site.Base+page, err)
	}
	if err != nil {
		return h.Links.Problem(err)
	}
	return h.Site.ContinueTo(w, h.Site.Base+visit.EnrolmentOf(o.MailLink).Path())
}
