package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// step is what comes next for a request: a page that asks something, the answer,
// or a refusal.
type step struct {
	page    string   // path below the issuer
	refusal *refusal // for the client
}

var (
	answer       = step{}
	askSignIn    = step{page: "/login"}
	askChoice    = step{page: "/select"}
	askConsent   = step{page: "/consent"}
	needsLogin   = step{refusal: no("login_needed", "login_required", "the end-user must sign in, and prompt=none forbids to ask")}
	needsConsent = step{refusal: no("consent_needed", "consent_required", "the end-user must consent, and prompt=none forbids to ask")}
	mustProve    = step{refusal: no("proof_needed", "login_required", "the end-user must prove anew who it is, and prompt=none forbids to ask")}
	declined     = step{refusal: no("proof_declined", "login_required", "the end-user did not prove anew who it is")}
	cannotProve  = step{refusal: no("upstream_not_fresh", "login_required", "the end-user signs in through an upstream that does not prove anew who it is: "+
		"signet client update --prompt-login best-effort accepts its sign-in as it is")}
	otherUser  = step{refusal: no("other_user", "login_required", "another end-user than the hinted one signed in")}
	weakACR    = step{refusal: no("acr_not_reached", "unmet_authentication_requirements", "the essential acr cannot be reached")}
	userDenied = step{refusal: no("user_denied", "access_denied", "the end-user refused")}
)

// nextStep decides what comes next from the facts, and from nothing else. A
// prompt or max_age is met by a fact that names this very request, or by time; a
// fact of another request, however fresh, meets no prompt. current is nil when
// nobody is signed in; consent is the zero value when none is remembered; stuck
// says that the user has no (other) way to prove anew who they are.
func nextStep(q request.Request, current *session.Current, client storage.Client, consent storage.Consent, stuck bool, at time.Time) step {
	silent := q.Prompts("none")
	unless := func(refused step, page step) step {
		if silent {
			return refused
		}
		return page
	}
	if current == nil {
		return unless(needsLogin, askSignIn)
	}
	answered := current.Answered(q.ID)
	switch {
	case q.HintSubject != "" && q.HintSubject != current.UserID:
		if answered {
			return otherUser
		}
		return unless(needsLogin, askSignIn)
	case !current.Meets(q.Freshness(client), at):
		return proveAnew(q, current, stuck)
	case q.Prompts("select_account") && !answered && !current.Has(storage.FactChosen, q.ID):
		return askChoice
	case len(q.EssentialACR) > 0 && !slices.Contains(q.EssentialACR, current.ACR):
		return weakACR
	}
	if q.Kind == request.Page {
		return answer
	}
	switch current.Decision(q.ID, consent.WithdrawnAt) {
	case storage.FactDenied:
		return userDenied
	case storage.FactAllowed:
		return answer
	}
	if client.FirstParty || client.SkipConsent {
		return answer
	}
	remembered := client.RemembersConsent(q.RedirectURI) && consent.Covers(q.Scopes, q.Resources, q.ClaimNames())
	if !remembered || q.Prompts("consent") {
		return unless(needsConsent, askConsent)
	}
	return answer
}

// proveAnew decides for a sign-in that is not fresh enough, new or old. The person is
// asked as long as there is a way to try; then the client is told. Our own pages have
// no client: they always ask, and say there what can be done.
func proveAnew(q request.Request, current *session.Current, stuck bool) step {
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

// dispatch reads the facts, decides, and does what was decided. sealed is "" for a
// request that has not been to the browser yet: most need not go there.
func (p *Provider) dispatch(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, sealed string) error {
	if q.Kind == request.Code {
		if why := lost(q, client); why != nil {
			return p.refuse(w, r, q, *why)
		}
	}
	at := p.Now()
	var current *session.Current
	found, err := p.sessions.Current(r)
	switch {
	case err == nil:
		current = &found
	case !errors.Is(err, session.ErrNone):
		return err
	}
	var consent storage.Consent
	if current != nil && q.Kind == request.Code && !client.FirstParty && !client.SkipConsent {
		consent, err = p.db.Consent(r.Context(), current.UserID, client.ID, at)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("read consent: %w", err)
		}
	}
	stuck, err := p.stuck(r.Context(), q, client, current, at)
	if err != nil {
		return err
	}
	next := nextStep(q, current, client, consent, stuck, at)
	switch {
	case next.refusal != nil:
		return p.refuse(w, r, q, *next.refusal)
	case next.page != "":
		return p.goTo(w, next.page, q, sealed)
	case q.Kind == request.Page:
		return web.SeeOther(w, q.Path)
	case q.Kind == request.Cookies:
		return p.answerCookies(w, r, q, client, *current, at)
	}
	return p.answerCode(w, q, client, *current, at)
}

// stuck reports whether somebody who came for this request through an upstream, and is
// not fresh enough, has no other way that could help. Nothing is read for anybody else.
func (p *Provider) stuck(ctx context.Context, q request.Request, client storage.Client, current *session.Current, at time.Time) (bool, error) {
	if current == nil || !current.Has(storage.FactArrived, q.ID) || current.Meets(q.Freshness(client), at) {
		return false, nil
	}
	ways, err := p.steps.WaysToProve(ctx, *current, q)
	return !ways.Any(), err
}

// goTo sends the browser to a step with its request, sealed already or not.
func (p *Provider) goTo(w http.ResponseWriter, page string, q request.Request, sealed string) error {
	if sealed == "" {
		var err error
		if sealed, err = p.carrier.Seal(q); err != nil {
			return fmt.Errorf("seal request: %w", err)
		}
	}
	return web.SeeOther(w, p.step(page, sealed))
}
