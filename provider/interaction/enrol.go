package interaction

import (
	"net/http"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showEnrol asks a person who has no factor that is strong enough for the request to add one. The pages
// of the account add it, and lead back to the request. If the dispatcher has another next step, the
// page leads there.
func (h *Handler) showEnrol(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	current, err := h.current(r, s)
	if err != nil {
		return err
	}
	facts, err := h.facts(r.Context(), s, &current)
	if err != nil {
		return err
	}
	if flow.NextStep(s.Request, facts, h.Now()).Page != flow.EnrolPage {
		return web.SeeOther(w, h.next(s))
	}
	page, err := h.enrolPage(w, r, s, current)
	if err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// enrolPage returns the page with the ways that reach the required level and that the account does not
// have. The mailed link comes first, if the account needs it. Where only a passkey is strong enough and
// nothing proves one yet, the page also offers an app: with it, the next passkey is proven. A passkey that
// the account has is offered where a sign-in with it proves it, see storage.DB.SignIn.
func (h *Handler) enrolPage(w http.ResponseWriter, r *http.Request, s step, current session.Current) (templates.Enrol, error) {
	key := s.Client.RequireACR == storage.ACRPhishingResistant
	page := templates.Enrol{
		Common: h.common(s), Request: s.Sealed, User: person(current.User), ForApp: s.Client.RequireACR != "", Key: key, Other: h.otherAccountPage(s),
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return page, err
	}
	// A passkey that is not proven leads back here. The pages of the account add one to other factors only
	// with those factors, which prove it.
	hasFactor := has.Any() || len(has.Passkeys) > 0
	proves := hasFactor || current.ProvesPasskeys(false, h.Now())
	page.AddKey = h.Passkeys.Offered() // a second factor after the first proof, which nothing else need prove
	page.AddPasskey = page.AddKey && proves
	if page.AddPasskey && !hasFactor {
		if page.Passkey, err = h.askOwnPasskey(w, r, s, current); err != nil {
			return page, err
		}
	}
	page.App = has.TOTP == nil && (!key || page.AddKey && !proves)
	if h.SendsMails {
		page.Unverified = current.User.Email != "" && !current.User.EmailVerified
		if page.Prove, err = h.DB.IsAddressProofDue(r.Context(), current.UserID, current.ID, h.Visits.FreshFor, h.Now()); err != nil {
			return page, err
		}
	}
	if page.Prove {
		to, err := h.DB.EnrolmentAddressOf(r.Context(), current.UserID, h.Now())
		if err != nil {
			return page, err
		}
		page.Email, page.FormerUntil = to.Email, visit.MomentsFor(current.User, h.Now()).Write(to.FormerUntil)
		if page.ProofTicket, err = h.Visits.SealTicket(visit.EnrolmentTicket(current)); err != nil {
			return page, err
		}
	}
	if s.Kind != request.Page {
		page.Ticket, err = h.Visits.SealTicket(declineTicket(s, current))
	}
	return page, err
}

// askOwnPasskey returns the form for a passkey that the account has; nil if it has none.
func (h *Handler) askOwnPasskey(w http.ResponseWriter, r *http.Request, s step, current session.Current) (*templates.PasskeyAsk, error) {
	has, err := h.DB.SignInMethodsOf(r.Context(), current.UserID)
	if err != nil || has.Passkeys == 0 {
		return nil, err
	}
	ask, err := h.askPasskey(w, r, s)
	if ask != nil {
		ask.Page, ask.Keep = flow.EnrolPage, current.Persistent
	}
	return ask, err
}
