package interaction

import (
	"errors"
	"net/http"

	"signet/federation"
	"signet/provider/web"
	"signet/templates/words"
)

const backText = "Go back"

// identitiesPage is the account page that lists the connected identities of the user.
const identitiesPage = "/account/identities"

// wayBack returns the address of the page on which the trip was started: the sign-in page,
// the page that asks for a proof of an account, or the account page.
func (h *Handler) wayBack(r *http.Request, t trip) string {
	switch {
	case t.isLinking():
		return h.Site.Base + identitiesPage
	case t.attempt.Prove:
		return h.linkPageOf(t.step)
	}
	back, err := h.otherWaysPage(r, t.step)
	if err != nil {
		return h.signInPage(t.step)
	}
	return back
}

// otherWaysPage returns the address of the sign-in page with the other ways to sign in. If
// the session already satisfies the request, the user came from the sign-in page for another
// account.
func (h *Handler) otherWaysPage(r *http.Request, s step) (string, error) {
	current, err := h.Visits.SignedIn(r)
	if err != nil || current == nil || h.mustProve(s, *current) {
		return h.signInPage(s), err
	}
	return h.otherAccountPage(s), nil
}

// upstreamProblem returns the page for a trip that failed. Each page leads back.
func (h *Handler) upstreamProblem(r *http.Request, t trip, err error) error {
	p := &web.Problem{Code: federation.ErrorCode(err), StartURL: h.wayBack(r, t), StartText: words.Unlisted(backText), Cause: err}
	name := t.connector.Name()
	switch {
	case errors.Is(err, federation.ErrDenied):
		p.Status, p.Title = http.StatusForbidden, words.Unlisted("You were not signed in")
		p.Text = words.Unlisted("You, or " + name + ", stopped the sign-in. Nothing was changed: try again, or use another way to sign in.")
	case errors.Is(err, federation.ErrUnreachable):
		p.Status, p.Title = http.StatusBadGateway, words.Unlisted(name+" is not answering")
		p.Text = words.Unlisted("Try again in a moment, or use another way to sign in.")
	case errors.Is(err, federation.ErrNoEmail):
		p.Status, p.Title = http.StatusForbidden, words.Unlisted(name+" gave no verified email address")
		p.Text = words.Unlisted("An account here needs a verified email address. Add or verify one at " + name + ", or let " + name + " share it, and try again.")
	case errors.Is(err, federation.ErrNotAllowed):
		p.Status, p.Title = http.StatusForbidden, words.Unlisted("This account cannot be used here")
		p.Text = words.Unlisted("Only certain " + name + " accounts are accepted, such as those of an organization. Choose another account, or ask the operator.")
	case errors.Is(err, federation.ErrMisconfigured):
		p.Status, p.Title = http.StatusBadGateway, words.Unlisted("Signing in with "+name+" is not set up right")
		p.Text = words.Unlisted("The operator has to correct it. Until then, use another way to sign in.")
	case errors.Is(err, federation.ErrUntrusted):
		p.Status, p.Title = http.StatusBadGateway, words.Unlisted("The answer of "+name+" cannot be used")
		p.Text = words.Unlisted("It did not pass the checks that protect your account. Try again; if it happens again, tell the operator.")
	default:
		return err
	}
	h.Health.failed(t.connector.ID(), p.Code, err, h.Now())
	return p
}

// refuseArrival returns the page for an identity that must not sign in, by the outcome.
func (h *Handler) refuseArrival(r *http.Request, t trip, why outcome) *web.Problem {
	p := &web.Problem{Status: http.StatusForbidden, Code: string(why), StartURL: h.wayBack(r, t), StartText: words.Unlisted(backText)}
	name := t.connector.Name()
	switch why {
	case connectFirst:
		p.Title = words.Unlisted(name + " is not connected to an account here")
		p.Text = words.Unlisted("Sign in another way, and connect " + name + " on your account page. If you have no other way to sign in, ask the operator of this service for an account.")
	case signUpClosed:
		p.Title = words.Unlisted("There is no account for you here yet")
		p.Text = words.Unlisted("This service does not make accounts on its own. Ask its operator for one; then sign in, and connect " + name + " on your account page.")
	default:
		p.Title = words.Unlisted("This account is switched off")
		p.Text = words.Unlisted("Ask the operator of this service.")
	}
	return p
}
