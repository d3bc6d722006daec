package address

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/link"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// opened is an open link, with the session of the browser if it is signed in as the user of the
// link.
type opened struct {
	storage.MailLink
	sealed string
	own    *session.Current // nil: the browser is not signed in as the user
	other  bool             // it is signed in as another user
}

// open opens a link of the kind. It changes nothing.
func (h *Handler) open(r *http.Request, kind storage.LinkKind, sealed string) (opened, error) {
	l, err := h.Links.Open(r.Context(), kind, sealed)
	if err != nil {
		return opened{}, h.Links.Problem(err)
	}
	web.TraceOf(r.Context()).NoteUser(l.UserID)
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return opened{}, err
	}
	o := opened{MailLink: l, sealed: sealed}
	if current != nil && current.UserID == l.UserID {
		o.own = current
	} else {
		o.other = current != nil
	}
	return o, nil
}

// page returns the path of the page of the link.
func (o opened) page() string {
	return verifyPath + "?" + url.Values{link.Parameter: {o.sealed}}.Encode()
}

// act is the act of verifying the address, for the step-up, after which the page of the link is shown
// again. The link travels in the sealed request, so the pages of the sign-in do not have it in
// their address.
func (o opened) act() visit.Act {
	return visit.Act{Name: "verify-email", Page: o.page(), Back: accountPath}
}

// showVerify shows the page of a link, or the page that follows an act without a session.
func (h *Handler) showVerify(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("done") == "verified" {
		return h.Site.Show(w, templates.VerifyEmail{Common: h.Site.Common(), Done: true})
	}
	o, err := h.open(r, storage.LinkVerify, r.URL.Query().Get(link.Parameter))
	if err != nil {
		return err
	}
	if o.own != nil && !h.Visits.IsFresh(*o.own) {
		return h.Visits.StepUp(w, r, o.act())
	}
	page := templates.VerifyEmail{Common: h.Site.Common(), Link: o.sealed, Email: o.Address, Own: o.own != nil, Other: o.other, Change: o.ChangesAddress(), Final: o.ChangesFinally()}
	if o.own != nil {
		page.Former = o.own.User.Email
	}
	return h.Site.ShowSecretURL(w, http.StatusOK, page)
}

// verify acts on the button that was pressed on the page of the link. The page has
// announced the effect of each button, and nothing else is deleted.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "act")
	if err != nil {
		return err
	}
	o, err := h.open(r, storage.LinkVerify, form.Get(link.Parameter))
	if err != nil {
		return err
	}
	v := storage.AddressVerification{Link: o.Ref(), UserID: o.UserID, FreshFor: h.Visits.FreshFor, From: web.TraceOf(r.Context()).Origin()}
	switch {
	case o.own != nil && !h.Visits.IsFresh(*o.own), form.Get("act") == "sign-in":
		return h.Visits.StepUp(w, r, o.act())
	case o.own != nil:
		v.SessionID = o.own.ID
	case form.Get("act") != "evict" || o.ChangesAddress(): // the session of the page has ended
		return web.StaleForm(h.Site.Base+o.page(), storage.ErrRevoked)
	}
	done := "verified"
	if o.ChangesAddress() {
		done, err = "changed", h.Sessions.ChangeAddress(w, r, *o.own, o.Ref(), h.Visits.FreshFor)
	} else {
		_, err = h.DB.VerifyAddress(r.Context(), v, h.Now())
	}
	switch {
	case errors.Is(err, storage.ErrNotFresh):
		return h.Visits.NotFresh(w, r, *o.own, o.act())
	case errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+o.page(), err)
	case errors.Is(err, storage.ErrConflict):
		return h.addressTaken(err)
	case err != nil:
		return h.Links.Problem(err)
	case o.own != nil:
		return h.Site.ContinueTo(w, h.Site.Base+emailPath+"?done="+done)
	}
	return web.SeeOther(w, h.Site.Base+verifyPath+"?done=verified")
}

// addressTaken is the page for a proven address that another account has. The person has shown to
// read its mails, so the page may say it.
func (h *Handler) addressTaken(cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusConflict, Code: "address_taken", Title: words.Say("address-taken.title"), Text: words.Say("address-taken.text"),
		StartURL: h.Site.Base + emailPath, StartText: words.Say("dead-link.account"), Cause: cause,
	}
}
