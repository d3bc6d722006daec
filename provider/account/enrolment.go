package account

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// enrolmentIn returns where the person goes on who adds a factor on this page, as its query or its form
// says. A request that has expired is left out: then the person stays in the account.
func (h *Handler) enrolmentIn(r *http.Request, factor string, values url.Values) (visit.Enrolment, error) {
	opened, err := h.Visits.Reopen(r.Context(), visit.Origin{Request: values.Get("request")})
	return visit.Enrolment{For: factor, Request: opened.Sealed}, err
}

// cancelEnrolment returns the address of the page to which a person returns who does not add the factor.
func (h *Handler) cancelEnrolment(e visit.Enrolment, page string) string {
	if e.Request != "" {
		page = visit.Enrolment{For: "enrol", Request: e.Request}.Path()
	}
	return h.Site.Base + page
}

// checkOwner leads people who cannot add a factor yet to the page with their next step: the address
// is unverified, or it must be proved in this session first. It reports whether it has answered.
func (h *Handler) checkOwner(w http.ResponseWriter, r *http.Request, current session.Current, e visit.Enrolment) (answered bool, err error) {
	if h.mustProveFirst(current.User) {
		return true, h.proveFirst(nil)
	}
	if !h.SendsMails {
		return false, nil
	}
	due, err := h.DB.IsAddressProofDue(r.Context(), current.UserID, current.ID, h.Visits.FreshFor, h.Now())
	if err != nil || !due {
		return err != nil, err
	}
	return true, web.SeeOther(w, h.Site.Base+e.ProofPage(""))
}

// showProof says why a mailed link comes before the first factor, and asks whether to send it.
func (h *Handler) showProof(w http.ResponseWriter, r *http.Request, current session.Current) error {
	query := r.URL.Query()
	e, err := h.enrolmentIn(r, query.Get("for"), query)
	if err != nil {
		return err
	}
	if h.mustProveFirst(current.User) {
		return h.proveFirst(nil)
	}
	due, err := h.DB.IsAddressProofDue(r.Context(), current.UserID, current.ID, h.Visits.FreshFor, h.Now())
	switch {
	case err != nil:
		return err
	case due:
		return h.proofPage(w, r, http.StatusOK, current, e, nil)
	case e.Path() == securityPath:
		return h.showSecurity(w, r, current)
	}
	return web.SeeOther(w, h.Site.Base+e.Path())
}

func (h *Handler) proofPage(w http.ResponseWriter, r *http.Request, status int, current session.Current, e visit.Enrolment, refusal *templates.FormError) error {
	to, err := h.DB.EnrolmentAddressOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	page := templates.AccountProof{
		Account: h.frame(r, current, "security"), For: e.For, Request: e.Request, Sent: r.URL.Query().Get("done") == "enrolment",
		Email: to.Email, FormerUntil: visit.MomentsFor(current.User, h.Now()).Write(to.FormerUntil),
		Cancel: h.cancelEnrolment(e, securityPath), Error: web.WithReference(r, refusal),
	}
	if page.Ticket, err = h.Visits.SealTicket(visit.EnrolmentTicket(current)); err != nil {
		return err
	}
	return h.Site.ShowStatus(w, status, page)
}

// mailProof mails the link that comes before the first factor.
func (h *Handler) mailProof(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "for", "request")
	if err != nil {
		return err
	}
	e, err := h.enrolmentIn(r, values.Get("for"), values)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(values, visit.EnrolmentTicket(current), e.ProofPage("")); err != nil {
		return err
	}
	if !h.SendsMails {
		return web.StaleForm(h.Site.Base+e.Path(), storage.ErrConflict)
	}
	limits, err := h.proofLimits(r, current)
	if err != nil {
		return err
	}
	from := web.TraceOf(r.Context()).Origin()
	detail, err := e.Detail()
	if err != nil {
		return err
	}
	err = h.DB.RequestEnrolment(r.Context(), storage.EnrolmentRequest{UserID: current.UserID, SessionID: current.ID, Detail: detail, Limits: limits, From: from}, h.Now())
	switch {
	case err == nil:
		return h.Site.ContinueTo(w, h.Site.Base+e.ProofPage("enrolment"))
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrRevoked): // the account has a factor meanwhile, or the session ended
		return web.StaleForm(h.Site.Base+e.Path(), err)
	}
	status, refusal := mailRefusal(r, w.Header(), err)
	if refusal == nil {
		return err
	}
	return h.proofPage(w, r, status, current, e, refusal)
}

// proofLimits returns the limits of the mail, which are those of its recipient.
func (h *Handler) proofLimits(r *http.Request, current session.Current) ([]storage.Limit, error) {
	to, err := h.DB.EnrolmentAddressOf(r.Context(), current.UserID, h.Now())
	if err != nil {
		return nil, err
	}
	canonical := current.User.EmailCanonical
	if to.FormerUntil != 0 {
		if canonical, err = storage.CanonicalEmail(to.Email); err != nil {
			return nil, err
		}
	}
	return h.Links.Limits(canonical, web.TraceOf(r.Context()).Origin().Address)
}

// addressProofDue is the page for a form that storage.ErrAddressProofDue refused: the proof has become
// too old while the form was open.
func (h *Handler) addressProofDue(e visit.Enrolment, cause error) *web.Problem {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "address_proof_due", Title: words.Say("account-proof.heading"),
		Text: words.Say("account-error.address-proof-due.text"), StartURL: h.Site.Base + e.ProofPage(""), StartText: words.Say("account-proof.start"), Cause: cause,
	}
}
