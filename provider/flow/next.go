package flow

import (
	"slices"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/subject"
	"signet/storage"
)

// Step is the next step of a request: a page that asks the person something, a refusal, or
// the answer.
type Step struct {
	Page    string   // path of the page below the issuer
	Refusal *Refusal // for the client
}

// The paths of the sign-in page, of the page on which people ask for an account, of the page for
// the second factor, of the page on which people add a second factor to go on, and of the page on
// which the user lets a device sign in.
const (
	SignInPage = "/login"
	SignUpPage = "/signup"
	FactorPage = "/login/factor"
	EnrolPage  = "/login/enrol"
	DevicePage = "/device/confirm"
)

// Refusal is an error that is sent to the client at its redirect URI.
type Refusal struct {
	cause       string // stable, for the log and the audit event
	Code        string // RFC 6749, section 4.1.2.1; OIDC Core, section 3.1.2.6
	Description string // the change that the client must make; ASCII
}

// Refuse returns a refusal with its stable cause, its error code, and a description of the
// change that the client must make.
func Refuse(cause, code, description string) *Refusal { return &Refusal{cause, code, description} }

// Cause returns the stable code for the log and the audit event.
func (r *Refusal) Cause() string { return r.cause }

// Error returns the code and the description, as the client receives them.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// Answer, NeedsLogin and UserDenied are the steps that callers compare with.
var (
	Answer     = Step{}
	NeedsLogin = Step{Refusal: Refuse("login_needed", "login_required", "the end-user must sign in, and prompt=none does not allow asking")}
	UserDenied = Step{Refusal: Refuse("user_denied", "access_denied", "the end-user refused")}
)

var (
	askSignIn    = Step{Page: SignInPage}
	askSignUp    = Step{Page: SignUpPage}
	askEnrolment = Step{Page: EnrolPage}
	askChoice    = Step{Page: "/select"}
	askConsent   = Step{Page: "/consent"}
	needsConsent = Step{Refusal: Refuse("consent_needed", "consent_required", "the end-user must consent, and prompt=none does not allow asking")}
	mustProve    = Step{Refusal: Refuse("proof_needed", "login_required", "the end-user must sign in again, and prompt=none does not allow asking")}
	declined     = Step{Refusal: Refuse("proof_declined", "login_required", "the end-user did not sign in again")}
	cannotProve  = Step{Refusal: Refuse("upstream_not_fresh", "login_required", "the upstream of this end-user does not ask for a sign-in again: "+
		"signet client update --prompt-login best-effort accepts its sign-in as it is")}
	otherUser           = Step{Refusal: Refuse("other_user", "login_required", "another end-user than the hinted one signed in")}
	noDeviceGrant       = Step{Refusal: Refuse("grant_type_not_allowed", "unauthorized_client", "this client is not registered for the device grant")}
	deviceScopesLost    = Step{Refusal: Refuse("scope_lost", "invalid_scope", "this client is not registered for any requested scope any more")}
	deviceResourcesLost = Step{Refusal: Refuse("resources_lost", "invalid_target", "this client is not registered for any requested resource any more")}
	weakACR             = Step{Refusal: Refuse("acr_not_reached", "unmet_authentication_requirements", "the end-user has no way to sign in that reaches the essential acr")}
	acrMissed           = Step{Refusal: Refuse("acr_declined", "unmet_authentication_requirements", "the end-user did not sign in with the essential acr")}
	acrRefused          = Step{Refusal: Refuse("acr_declined", "access_denied", "the end-user did not give the second factor that this client or server requires")}
	acrNeedsPerson      = Step{Refusal: Refuse("acr_needed", "interaction_required", "the end-user must sign in with a stronger acr, and prompt=none does not allow asking")}
)

// Facts holds the input of NextStep beside the request.
type Facts struct {
	Current               *session.Current // nil: nobody is signed in
	Client                storage.Client   // the zero value for Signet's own pages
	Consent               storage.Consent  // the zero value: no stored consent
	NoWayToReauthenticate bool             // the user has no (other) way to sign in again
	OtherUser             bool             // the request names another user than the signed-in one
	RequireFactor         bool             // every person must have a second factor
	Reach                 string           // strongest acr that the person can reach; "": not read, see WantsMore
}

// Policy makes the facts that do not depend on the database.
type Policy struct {
	Subjects      subject.Subjects
	RequireFactor bool // every person must have a second factor (factors.required: all)
}

// Facts returns the facts about a client and a session, nil for none, without a consent. Callers
// add Reach if the facts want it (see WantsMore).
func (p Policy) Facts(q request.Request, client storage.Client, current *session.Current) Facts {
	return Facts{
		Current: current, Client: client, RequireFactor: p.RequireFactor,
		OtherUser: current != nil && NamesOther(p.Subjects, q, client, current.User),
	}
}

// NamesOther reports whether the request names a subject, and the user has another one at the
// client.
func NamesOther(s subject.Subjects, q request.Request, client storage.Client, u storage.User) bool {
	if q.HintSubject == "" {
		return false
	}
	sub, err := s.OfUser(client, u)
	return err != nil || sub != q.HintSubject
}

// PromptCreate is the prompt value that asks for a new account (Initiating User Registration via
// OpenID Connect 1.0, section 4). A request has it only if people could sign up when it arrived.
const PromptCreate = "create"

// NextStep decides the next step of a request from the facts alone. A prompt is met only by a
// fact that names this request, never by a fact of another request. max_age is met by a fact
// that names this request or by the time of a proof.
func NextStep(q request.Request, f Facts, at time.Time) Step {
	current := f.Current
	silent := q.Prompts("none")
	unless := func(refused, page Step) Step {
		if silent {
			return refused
		}
		return page
	}
	switch {
	case q.Prompts(PromptCreate) && !(current != nil && current.Answered(q.ID)):
		return askSignUp
	case current == nil:
		return unless(NeedsLogin, askSignIn)
	}
	wanted := q.Freshness(f.Client)
	answered := current.Answered(q.ID)
	strength := levelStep(q, f)
	switch {
	case f.OtherUser:
		if answered {
			return otherUser
		}
		return unless(NeedsLogin, askSignIn)
	case strength == weakACR: // no sign-in helps
		return weakACR
	case !current.Meets(wanted, at):
		return reauthenticate(q, current, f.NoWayToReauthenticate)
	case q.Prompts("select_account") && !answered && !current.Has(storage.FactChosen, q.ID):
		return askChoice
	case strength != Answer:
		return strength
	}
	switch q.Kind {
	case request.Page:
		return Answer
	case request.Device:
		return deviceStep(q, f.Client)
	}
	switch current.Decision(q.ID, f.Consent.WithdrawnAt) {
	case storage.FactDenied:
		return UserDenied
	case storage.FactAllowed:
		return Answer
	}
	if f.Client.SkipsConsent() {
		return Answer
	}
	remembered := f.Client.RemembersConsent(q.RedirectURI) && !f.Consent.IsOutdated(f.Client) && f.Consent.Covers(q.Scopes, q.Resources, q.ClaimNames())
	if !remembered || q.Prompts("consent") {
		return unless(needsConsent, askConsent)
	}
	return Answer
}

// levelStep is the step for the strength of the sign-in; Answer if it is strong enough.
func levelStep(q request.Request, f Facts) Step {
	switch got, _ := f.level(q).decide(); got {
	case askStronger:
		return askSignIn
	case askToEnrol:
		return askEnrolment
	case needsPerson:
		return acrNeedsPerson
	case unreachable:
		return weakACR
	case refusedByPerson:
		return acrRefused
	case missedByPerson:
		return acrMissed
	}
	return Answer
}

// deviceStep decides the last step of a request of a device. The page is always shown, also for a
// client that needs no consent: only the user can know whether the device is theirs (RFC 8628,
// section 5.4). The page performs the answer.
func deviceStep(q request.Request, client storage.Client) Step {
	switch {
	case !slices.Contains(client.Metadata.GrantTypes, storage.GrantDevice):
		return noDeviceGrant
	case q.Lost.AllScopes:
		return deviceScopesLost
	case q.Lost.AllResources:
		return deviceResourcesLost
	}
	return Step{Page: DevicePage}
}

// reauthenticate decides the step for a sign-in that is not fresh enough. It asks the person
// while there is a way to sign in again, and then refuses the request. Signet's own pages
// have no client: they always ask, and the page explains the ways out.
func reauthenticate(q request.Request, current *session.Current, stuck bool) Step {
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
