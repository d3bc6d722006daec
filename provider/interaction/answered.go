package interaction

import (
	"slices"

	"signet/provider/flow"
	"signet/provider/session"
	"signet/storage"
)

// The pages that the dispatcher asks on, below the issuer, in its order.
const (
	signInPath  = flow.SignInPage
	choicePath  = "/select"
	consentPath = "/consent"
)

var askedOn = []string{signInPath, choicePath, consentPath}

// isAnswered reports whether the dispatcher has nothing to ask on this page any more, but
// on a later one, or would answer: the person has come back by Back, or has signed in in
// another tab. A refusal does not count: on the page they may still think better of it.
func (h *Handler) isAnswered(s step, current session.Current, given storage.Consent, page string) bool {
	next := flow.NextStep(s.Request, flow.Facts{Current: &current, Client: s.Client, Consent: given}, h.Now())
	return next == flow.Answer || slices.Index(askedOn, next.Page) > slices.Index(askedOn, page)
}
