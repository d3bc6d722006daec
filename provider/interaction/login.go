package interaction

import (
	"net/http"
	"time"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showLogin shows the sign-in page of a request. Without a request it starts one for a page
// of this server (return_to, or the home page) and redirects to the dispatcher.
func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("request") == "" {
		return h.startFromLink(w, r, query)
	}
	s, err := h.open(r.Context(), query.Get("request"))
	if err != nil {
		return err
	}
	s.wantsOther = query.Get("other") != ""
	current, err := h.Visits.SignedIn(r)
	switch {
	case err != nil:
		return err
	case current != nil && !s.wantsOther:
		answered, err := h.isAnswered(r.Context(), s, *current, storage.Consent{}, signInPath)
		switch {
		case err != nil:
			return err
		case answered:
			return web.SeeOther(w, h.next(s))
		}
	}
	page := templates.SignIn{Username: s.LoginHint}
	if id := query.Get("provider"); id != "" {
		page.Error = h.unknownProviderError(r, id)
	}
	return h.showSignInTo(current, w, r, s, http.StatusOK, page)
}

// showSignIn shows the sign-in page, or the page that asks for a new proof if the signed-in
// user must give one.
func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request, s step, status int, page templates.SignIn) error {
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	return h.showSignInTo(current, w, r, s, status, page)
}

// showSignInTo is showSignIn for a browser with a session, or without one if current is nil.
func (h *Handler) showSignInTo(current *session.Current, w http.ResponseWriter, r *http.Request, s step, status int, page templates.SignIn) (err error) {
	h.Visits.SetTestCookie(w, r)
	if current == nil {
		if page.Stolen, err = h.Sessions.WasStolen(r); err != nil {
			return err
		}
	} else {
		needed, err := h.proofNeeded(r.Context(), s, *current)
		if err != nil {
			return err
		}
		if needed.Needed() {
			confirm, err := h.confirmPage(w, r, s, *current, needed)
			if err != nil {
				return err
			}
			confirm.Error = web.WithReference(r, page.Error)
			confirm.Passkey = knownPasskey(confirm.Passkey, page.Passkey)
			return h.Site.ShowStatus(w, status, confirm)
		}
	}
	page.Error = web.WithReference(r, page.Error)
	page.Forgot = h.SendsMails
	if h.SignUp {
		page.SignUp = h.Site.Base + request.StepPath(flow.SignUpPage, s.Sealed)
	}
	page.Common, page.Request, page.Other = h.common(s), s.Sealed, s.wantsOther && current != nil
	page.KeepDays, page.Connectors = int(h.KeepFor/(24*time.Hour)), buttons(h.Connectors, h.lastConnector(r))
	ask, err := h.askPasskey(w, r, s)
	if err != nil {
		return err
	}
	page.Passkey, page.Creates = knownPasskey(ask, page.Passkey), h.takesMadePasskeys()
	page.Keep = page.Keep || current != nil && current.Persistent && page.Error == nil
	return h.Site.ShowStatus(w, status, page)
}

// login serves the sign-in form: it checks the password and starts the session.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	if err := h.checkCookies(r, h.signInPage(s)); err != nil {
		return err
	}
	s.wantsOther = form.Get("other") != ""
	keep := form.Get("keep") != ""
	current, err := h.Visits.SignIn(w, r, visit.PasswordSignIn{
		Username: form.Get("username"), Password: form.Get("password"), Keep: keep, RequestID: s.ID, ClientID: s.Client.ID,
		KeepStronger: h.keepStronger(s), AcceptsTrust: flow.AcceptsTrust(s.Request, s.Client),
	})
	if isFactorDue(err) {
		return h.Site.ContinueTo(w, h.factorPageOf(s))
	}
	if err == nil {
		next, err := h.pageAfterSignIn(w, r, s, current.UserID)
		if err != nil {
			return err
		}
		return h.finishPassword(w, r, current, form.Get("creates") != "", next)
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, err)
	return h.showSignIn(w, r, s, status, templates.SignIn{Username: form.Get("username"), Keep: keep, Error: refusal})
}
