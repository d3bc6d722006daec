package interaction

import (
	"errors"
	"net/http"

	"signet/federation"
	"signet/provider/web"
	"signet/templates/words"
)

var backText = words.Say("sign-in-problem.go-back")

// identitiesPage is the account page that lists the connected identities of the user.
const identitiesPage = "/account/identities"

// wayBack returns the address of the page on which the trip was started: the sign-in page,
// the page that asks for a proof of an account, the account page, or that of an invitation.
func (h *Handler) wayBack(r *http.Request, t trip) string {
	switch {
	case t.isLinking():
		return h.Site.Base + identitiesPage
	case t.attempt.Prove:
		return h.linkPageOf(t.step)
	case t.attempt.Invited != nil:
		return h.invitationPage(*t.attempt.Invited)
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
	if err != nil || current == nil {
		return h.signInPage(s), err
	}
	needed, err := h.proofNeeded(r.Context(), s, *current)
	if err != nil || needed.Needed() {
		return h.signInPage(s), err
	}
	return h.otherAccountPage(s), nil
}

// upstreamProblem returns the page for a trip that failed. Each page leads back.
func (h *Handler) upstreamProblem(r *http.Request, t trip, err error) error {
	p := &web.Problem{Code: federation.ErrorCode(err), StartURL: h.wayBack(r, t), StartText: backText, Cause: err}
	name := t.connector.Name()
	switch {
	case errors.Is(err, federation.ErrDenied):
		p.Status, p.Title = http.StatusForbidden, words.Say("sign-in-problem.denied-title")
		p.Text = words.Say("sign-in-problem.denied", "Connector", name)
	case errors.Is(err, federation.ErrUnreachable):
		p.Status, p.Title = http.StatusBadGateway, words.Say("sign-in-problem.unreachable-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.unreachable")
	case errors.Is(err, federation.ErrNoEmail):
		p.Status, p.Title = http.StatusForbidden, words.Say("sign-in-problem.no-email-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.no-email", "Connector", name)
	case errors.Is(err, federation.ErrNotAllowed):
		p.Status, p.Title = http.StatusForbidden, words.Say("sign-in-problem.not-allowed-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.not-allowed", "Connector", name)
	case errors.Is(err, federation.ErrMisconfigured):
		p.Status, p.Title = http.StatusBadGateway, words.Say("sign-in-problem.misconfigured-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.misconfigured")
	case errors.Is(err, federation.ErrUntrusted):
		p.Status, p.Title = http.StatusBadGateway, words.Say("sign-in-problem.untrusted-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.untrusted", "Connector", name)
	default:
		return err
	}
	h.Health.failed(t.connector.ID(), p.Code, err, h.Now())
	return p
}

// refuseArrival returns the page for an identity that must not sign in, by the outcome.
func (h *Handler) refuseArrival(r *http.Request, t trip, why outcome) *web.Problem {
	p := &web.Problem{Status: http.StatusForbidden, Code: string(why), StartURL: h.wayBack(r, t), StartText: backText}
	name := t.connector.Name()
	switch why {
	case connectFirst:
		p.Title = words.Say("sign-in-problem.not-connected-title", "Connector", name)
		p.Text = words.Say("sign-in-problem.not-connected", "Connector", name)
	case signUpClosed:
		p.Title = words.Say("sign-in-problem.no-account-title")
		p.Text = words.Say("sign-in-problem.no-account", "Connector", name)
	default:
		p.Title = words.Say("sign-in-problem.switched-off-title")
		p.Text = words.Say("sign-in-problem.switched-off")
	}
	return p
}
