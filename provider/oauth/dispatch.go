package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// dispatch reads the facts, decides, and does what was decided. sealed is "" for a
// request that has not been to the browser yet: most need not go there.
func (p *Provider) dispatch(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, sealed string) error {
	if q.Kind == request.Code {
		if why := lost(q, client); why != nil {
			return p.refuse(w, r, q, *why)
		}
	}
	at := p.Now()
	current, err := p.visits.SignedIn(r)
	if err != nil {
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
	next := flow.NextStep(q, flow.Facts{Current: current, Client: client, Consent: consent, Stuck: stuck}, at)
	switch {
	case next.Refusal != nil:
		return p.refuse(w, r, q, *next.Refusal)
	case next.Page != "":
		return p.goTo(w, next.Page, q, sealed)
	case q.Kind == request.Page:
		return web.SeeOther(w, q.Path)
	case q.Kind == request.Cookies:
		return p.firstParty.AnswerCookies(w, r, request.Opened{Request: q, Client: client, Sealed: sealed}, *current)
	}
	return p.answerCode(w, q, client, *current, at)
}

// stuck reports whether somebody who came for this request through an upstream, and is
// not fresh enough, has no other way that could help. Nothing is read for anybody else.
func (p *Provider) stuck(ctx context.Context, q request.Request, client storage.Client, current *session.Current, at time.Time) (bool, error) {
	if current == nil || !current.Has(storage.FactArrived, q.ID) || current.Meets(q.Freshness(client), at) {
		return false, nil
	}
	ways, err := p.visits.WaysToProve(ctx, *current, q)
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
