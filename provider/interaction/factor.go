package interaction

import (
	"errors"
	"fmt"
	"net/http"

	"signet/provider/credential"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// adminPage is the page to which a setup link leads.
const adminPage = "/admin"

func isFactorDue(err error) bool {
	_, due := errors.AsType[*storage.FactorDueError](err)
	return due
}

// factorPageOf returns the address of the page for the second factor of a step.
func (h *Handler) factorPageOf(s step) string {
	return h.Site.Base + request.StepPath(flow.FactorPage, s.Sealed)
}

// showFactor asks for the second factor. Without a half sign-in for this request, it leads to the
// dispatcher, which knows the next step.
func (h *Handler) showFactor(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	_, user, err := h.half(r, s)
	if errors.Is(err, visit.ErrNoHalf) {
		return web.SeeOther(w, h.next(s))
	}
	if err != nil {
		return err
	}
	page, err := h.factorPage(w, r, s, user, r.URL.Query().Get("way"))
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// half returns the half sign-in of this browser for the step. Without one, it is the signed-in user
// whose session is recent enough and needs only a second factor. visit.ErrNoHalf: neither.
func (h *Handler) half(r *http.Request, s step) (visit.HalfSignIn, storage.User, error) {
	half, user, err := h.Visits.ReadHalf(r, s.ID)
	if !errors.Is(err, visit.ErrNoHalf) {
		return half, user, err
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return half, user, err
	}
	if current == nil {
		return half, user, visit.ErrNoHalf
	}
	needed, err := h.proofNeeded(r.Context(), s, *current)
	if err != nil {
		return half, user, err
	}
	if needed.Again || needed.ACR == "" {
		return half, user, visit.ErrNoHalf
	}
	ways, err := h.Visits.WaysToProve(r.Context(), *current, s.Request)
	if err != nil {
		return half, user, err
	}
	if !ways.OnlyReaching(needed.ACR, true).Factor {
		return half, user, visit.ErrNoHalf
	}
	return visit.RaiseOf(*current), current.User, nil
}

// recoveryWay is the value of the parameter "way" of the page that asks for a recovery code. Its
// field has a keyboard with letters.
const recoveryWay = "recovery"

// factorPath is the path of the page for the second factor.
const factorPath = "/login/factor"

// factorPage offers the second factors that the user has: a key or passkey, the app, the recovery
// codes. Without an app, its field takes a recovery code.
func (h *Handler) factorPage(w http.ResponseWriter, r *http.Request, s step, user storage.User, way string) (templates.SecondFactor, error) {
	has, err := h.DB.SecondFactorsOf(r.Context(), user.ID)
	if err != nil {
		return templates.SecondFactor{}, err
	}
	page := templates.SecondFactor{
		Common: h.common(s), Request: s.Sealed, User: person(user), App: has.TOTP != nil, Recovery: has.TOTP == nil || way == recoveryWay,
		Other: h.otherAccountPage(s),
	}
	if h.Sessions.OffersTrust(user) {
		page.TrustDays = h.Sessions.TrustDays()
	}
	if page.App {
		page.Switch = h.factorPageOf(s)
	}
	if page.App && !page.Recovery {
		page.Switch += "&way=" + recoveryWay
	}
	page.Key, err = h.askKey(w, r, s, user, has)
	return page, err
}

// showFactorAgain shows the page with the refusal of shown.
func (h *Handler) showFactorAgain(w http.ResponseWriter, r *http.Request, s step, user storage.User, status int, shown templates.SecondFactor) error {
	way := ""
	if shown.Recovery {
		way = recoveryWay
	}
	page, err := h.factorPage(w, r, s, user, way)
	if err != nil {
		return err
	}
	page.Refused, page.Trust, page.ClockHint, page.Error = shown.Refused, shown.Trust, shown.ClockHint && !page.Recovery, web.WithReference(r, shown.Error)
	return h.Site.ShowStatus(w, status, page)
}

// checkFactor checks the code and starts the session. After the second refused code, the page says
// that the clock of the phone may be wrong. The form itself carries that one code was refused: this
// is for the hint only.
func (h *Handler) checkFactor(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r, "request", "code", "way", "refused", "trust")
	if err != nil {
		return err
	}
	half, user, err := h.half(r, s)
	if errors.Is(err, visit.ErrNoHalf) {
		return h.signInAgain(w, r, s, err)
	}
	if err != nil {
		return err
	}
	err = h.Visits.FinishHalf(w, r, half, user, visit.Second{
		Code: form.Get("code"), Trust: form.Get("trust") != "", RequestID: s.ID, ClientID: s.Client.ID, KeepStronger: h.keepStronger(s),
	})
	switch {
	case err == nil:
		next, err := h.pageAfterSignIn(w, r, s, user.ID)
		if err != nil {
			return err
		}
		return h.finish(w, user, "", next)
	case errors.Is(err, visit.ErrNoHalf):
		return h.signInAgain(w, r, s, err)
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	credential.NoteRefusal(trace, refusal.Code, err)
	trace.MarkRecorded()
	return h.showFactorAgain(w, r, s, user, status, templates.SecondFactor{
		Recovery: form.Get("way") == recoveryWay, Refused: "1", Trust: form.Get("trust") != "", ClockHint: form.Get("refused") != "", Error: refusal,
	})
}

// signInAgain shows the sign-in page to a person whose first proof has expired or is of another
// browser or request. If the person has signed in meanwhile, it goes on.
func (h *Handler) signInAgain(w http.ResponseWriter, r *http.Request, s step, cause error) error {
	if !h.Sessions.Cookies.HasAnyCookie(r) {
		return h.stale(r, h.next(s), cause)
	}
	current, err := h.Visits.SignedIn(r)
	if err != nil {
		return err
	}
	if current != nil {
		answered, err := h.isAnswered(r.Context(), s, *current, storage.Consent{}, signInPath)
		switch {
		case err != nil:
			return err
		case answered:
			return h.Site.ContinueTo(w, h.next(s))
		}
	}
	refusal := &templates.FormError{Code: "sign_in_again", Text: words.Say("second-factor.late")}
	credential.NoteRefusal(web.TraceOf(r.Context()), refusal.Code, cause)
	return h.showSignIn(w, r, s, http.StatusConflict, templates.SignIn{Error: refusal})
}

// askFactorOf leads to the page for the second factor of a user who came through an upstream. If
// the identity is not linked to the account yet, the identity waits until the person has proven
// the account: an upstream alone links nothing to an account with a second factor.
func (h *Handler) askFactorOf(w http.ResponseWriter, r *http.Request, t trip, arrival storage.ConnectorSignIn, due error) error {
	found, _ := errors.AsType[*storage.FactorDueError](due)
	if !arrival.Linked {
		user, err := h.DB.User(r.Context(), found.UserID)
		if err != nil {
			return err
		}
		return h.storeWaiting(w, t, user)
	}
	half := visit.HalfSignIn{UserID: found.UserID, NotBefore: found.NotBefore, Through: arrival.Identity.Key(), Asserted: h.upstreamSignIn(t).Asserted}
	if err := h.Visits.StoreHalf(w, half, t.ID); err != nil {
		return err
	}
	h.rememberConnector(w, t.connector)
	return web.SeeOther(w, h.factorPageOf(t.step))
}

// askAdminFactor leads an administrator with a second factor from a setup link to the page for it,
// and then to the pages of administrators.
func (h *Handler) askAdminFactor(w http.ResponseWriter, due *storage.FactorDueError) error {
	q, ok := h.Visits.RequestFor(h.Site.Base + adminPage)
	if !ok {
		return fmt.Errorf("make a request for %s: %w", adminPage, due)
	}
	sealed, err := h.Requests.Seal(q)
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	if err := h.Visits.StoreHalf(w, visit.HalfSignIn{UserID: due.UserID, NotBefore: due.NotBefore}, q.ID); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+request.StepPath(flow.FactorPage, sealed))
}
