package interaction

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showConsent asks whether the client may have the requested rights.
func (h *Handler) showConsent(w http.ResponseWriter, r *http.Request) error {
	s, current, err := h.consentStep(r, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	given, err := h.DB.Consent(r.Context(), current.UserID, s.Client.ID, h.Now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("read consent: %w", err)
	}
	answered, err := h.isAnswered(r.Context(), s, current, given, consentPath)
	switch {
	case err != nil:
		return err
	case answered:
		return web.SeeOther(w, h.next(s))
	}
	ticket, err := h.Visits.SealTicket(consentTicket(s, current))
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.Consent{
		Common: h.common(s), Request: s.Sealed, Ticket: ticket, User: person(current.User),
		Wants: wantsOf(s.Request, given), Switch: h.otherAccountPage(s),
	})
}

// consentStep opens a request that needs consent, and reads the session of the signed-in
// user.
func (h *Handler) consentStep(r *http.Request, sealed string) (step, session.Current, error) {
	s, err := h.open(r.Context(), sealed)
	if err != nil {
		return s, session.Current{}, err
	}
	if s.Kind != request.Code {
		return s, session.Current{}, h.Site.NotFound() // requests of kind Page and Cookies need no consent
	}
	current, err := h.current(r, s)
	return s, current, err
}

// consentTicket binds the answer to the user and to the rights on the page. The sealed
// request never changes, but the rights of the client may: if the ticket had only the
// request id, a page that shows fewer rights could give consent to more.
func consentTicket(s step, current session.Current) visit.Ticket {
	shown := strings.Join(s.Scopes, " ") + "|" + strings.Join(s.Resources, " ") + "|" + strings.Join(s.ClaimNames(), " ")
	return visit.Ticket{Purpose: "consent", Session: current.ID, Request: s.ID, Shown: shown}
}

// consent stores the decision. The sealed request alone determines the granted rights;
// other fields of the form are ignored.
func (h *Handler) consent(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	s, current, err := h.consentStep(r, form.Get("request"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), consentTicket(s, current)); err != nil {
		return web.StaleForm(h.next(s), err)
	}
	switch form.Get("decision") {
	case "allow":
		err = h.allow(r, s, current)
	case "deny":
		err = h.DB.DenyConsent(r.Context(), h.consentAnswer(r, s, current), h.Now())
	default:
		return noDecision(words.Say("sign-in-problem.no-decision-consent"), h.next(s))
	}
	if err != nil {
		return h.sessionEnded(s, err)
	}
	if s.Lost.Any {
		// The user consented to the narrowed request. If the client gets a right back later,
		// the user was not asked about it, so the narrowed request replaces the old one.
		if s.Sealed, err = h.Requests.Seal(s.Request); err != nil {
			return fmt.Errorf("seal request: %w", err)
		}
	}
	return h.Site.ContinueTo(w, h.next(s))
}

// noDecision returns the page for a form that was submitted without one of its buttons.
func noDecision(text words.Sentence, wayOn string) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "invalid_request", Title: words.Say("sign-in-problem.no-decision-title"), Text: text, StartURL: wayOn, StartText: backText,
	}
}

// allow stores the consent as a fact of the session, and also for later requests if the
// client may be remembered.
func (h *Handler) allow(r *http.Request, s step, current session.Current) error {
	at := h.Now()
	c := h.consentAnswer(r, s, current)
	c.Consent.GrantedAt, c.Consent.ExpiresAt = storage.At(at), storage.At(at).Add(h.ConsentLife)
	c.Remember = s.Client.RemembersConsent(s.RedirectURI)
	return h.DB.AllowConsent(r.Context(), c, at)
}

// consentAnswer returns the input of storage for a decision about this request.
func (h *Handler) consentAnswer(r *http.Request, s step, current session.Current) storage.ConsentAnswer {
	return storage.ConsentAnswer{
		Consent: storage.Consent{
			UserID: current.UserID, ClientID: s.Client.ID,
			Scopes: s.Scopes, Resources: s.Resources, Claims: s.ClaimNames(),
		},
		SessionID: current.ID, RequestID: s.ID, From: web.TraceOf(r.Context()).Origin(),
	}
}
