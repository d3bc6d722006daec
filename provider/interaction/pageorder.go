package interaction

import (
	"context"
	"slices"

	"signet/provider/flow"
	"signet/provider/session"
	"signet/storage"
)

// The pages on which the dispatcher asks the user, as paths below the issuer.
const (
	signInPath  = flow.SignInPage
	choicePath  = "/select"
	consentPath = "/consent"
)

// pageOrder lists these pages in the order in which the dispatcher shows them.
var pageOrder = []string{flow.SignUpPage, signInPath, choicePath, flow.EnrolPage, consentPath, flow.DevicePage}

// isAnswered reports whether the dispatcher would answer the request or show a later page
// than this one. That happens if the user came here with the Back button, or signed in in
// another tab. A page that was answered with a refusal is not answered in this sense: the
// user may change the decision there.
func (h *Handler) isAnswered(ctx context.Context, s step, current session.Current, given storage.Consent, page string) (bool, error) {
	facts, err := h.facts(ctx, s, &current)
	if err != nil {
		return false, err
	}
	facts.Consent = given
	next := flow.NextStep(s.Request, facts, h.Now())
	return next == flow.Answer || slices.Index(pageOrder, next.Page) > slices.Index(pageOrder, page), nil
}

// facts returns the facts about the client of the step and a session, without a consent.
func (h *Handler) facts(ctx context.Context, s step, current *session.Current) (flow.Facts, error) {
	facts := h.Policy.Facts(s.Request, s.Client, current)
	if !facts.WantsMore(s.Request) {
		return facts, nil
	}
	var err error
	facts.Reach, err = h.Visits.ReachableACR(ctx, current.UserID)
	return facts, err
}
