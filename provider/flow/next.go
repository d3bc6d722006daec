package flow

import (
	"slices"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// Step is what comes next for a request: a page that asks something, a refusal, or
// the answer.
type Step struct {
	Page    string   // path below the issuer
	Refusal *Refusal // for the client
}

// SignInPage is the path of the step that asks who it is.
const SignInPage = "/login"

// Refusal is an error that goes back to the client at its redirect URI.
type Refusal struct {
	cause       string // stable, for the log and the audit event
	Code        string // RFC 6749, section 4.1.2.1; OIDC Core, section 3.1.2.6
	Description string // what to change; ASCII
}

// Refuse makes a refusal: its stable cause, the error code and what the client must change.
func Refuse(cause, code, description string) *Refusal { return &Refusal{cause, code, description} }

// Cause is stable: it stands in the log and the audit event.
func (r *Refusal) Cause() string { return r.cause }

// Error says what the client is told.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// Answer, NeedsLogin and UserDenied are the steps that callers tell from the others.
var (
	Answer     = Step{}
	NeedsLogin = Step{Refusal: Refuse("login_needed", "login_required", "the end-user must sign in, and prompt=none forbids to ask")}
	UserDenied = Step{Refusal: Refuse("user_denied", "access_denied", "the end-user refused")}
)

var (
	askSignIn    = Step{Page: SignInPage}
	askChoice    = Step{Page: "/select"}
	askConsent   = Step{Page: "/consent"}
	needsConsent = Step{Refusal: Refuse("consent_needed", "consent_required", "the end-user must consent, and prompt=none forbids to ask")}
	mustProve    = Step{Refusal: Refuse("proof_needed", "login_required", "the end-user must prove anew who it is, and prompt=none forbids to ask")}
	declined     = Step{Refusal: Refuse("proof_declined", "login_required", "the end-user did not prove anew who it is")}
	cannotProve  = Step{Refusal: Refuse("upstream_not_fresh", "login_required", "the end-user signs in through an upstream that does not prove anew who it is: "+
		"signet client update --prompt-login best-effort accepts its sign-in as it is")}
	otherUser = Step{Refusal: Refuse("other_user", "login_required", "another end-user than the hinted one signed in")}
	weakACR   = Step{Refusal: Refuse("acr_not_reached", "unmet_authentication_requirements", "the essential acr cannot be reached")}
)

// Facts are what NextStep decides from, beside the request itself.
type Facts struct {
	Current *session.Current // nil: nobody is signed in
	Client  storage.Client   // the zero value for a page of ours
	Consent storage.Consent  // the zero value: none is remembered
	Stuck   bool             // the user has no (other) way to prove anew who they are
}

// NextStep decides what comes next from the facts, and from nothing else. A
// prompt or max_age is met by a fact that names this very request, or by time; a
// fact of another request, however fresh, meets no prompt.
func NextStep(q request.Request, f Facts, at time.Time) Step {
	current := f.Current
	silent := q.Prompts("none")
	unless := func(refused, page Step) Step {
		if silent {
			return refused
		}
		return page
	}
	if current == nil {
		return unless(NeedsLogin, askSignIn)
	}
	wanted := q.Freshness(f.Client)
	answered := current.Answered(q.ID)
	switch {
	case q.HintSubject != "" && q.HintSubject != current.UserID:
		if answered {
			return otherUser
		}
		return unless(NeedsLogin, askSignIn)
	case !current.Meets(wanted, at):
		return proveAnew(q, current, f.Stuck)
	case q.Prompts("select_account") && !answered && !current.Has(storage.FactChosen, q.ID):
		return askChoice
	case len(q.EssentialACR) > 0 && !slices.Contains(q.EssentialACR, current.ACR):
		return weakACR
	}
	if q.Kind == request.Page {
		return Answer
	}
	switch current.Decision(q.ID, f.Consent.WithdrawnAt) {
	case storage.FactDenied:
		return UserDenied
	case storage.FactAllowed:
		return Answer
	}
	if f.Client.FirstParty || f.Client.SkipConsent {
		return Answer
	}
	remembered := f.Client.RemembersConsent(q.RedirectURI) && f.Consent.Covers(q.Scopes, q.Resources, q.ClaimNames())
	if !remembered || q.Prompts("consent") {
		return unless(needsConsent, askConsent)
	}
	return Answer
}

// proveAnew decides for a sign-in that is not fresh enough, new or old. The person is
// asked as long as there is a way to try; then the client is told. Our own pages have
// no client: they always ask, and say there what can be done.
func proveAnew(q request.Request, current *session.Current, stuck bool) Step {
	switch {
	case q.Prompts("none") && current.AuthTime == 0:
		return cannotProve
	case q.Prompts("none"):
		return mustProve
	case q.Kind != request.Code:
		return askSignIn
	case current.Has(storage.FactDeclined, q.ID):
		return declined
	case current.Has(storage.FactArrived, q.ID) && stuck:
		return cannotProve
	}
	return askSignIn
}
