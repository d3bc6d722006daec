package oauth

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

// dispatch reads the facts, decides, and does what was decided. Sealed is "" for a
// request that has not been to the browser yet: most need not go there.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, opened request.Opened) error {
	q, client := opened.Request, opened.Client
	if q.Kind == request.Code {
		if why := checkRemainingRights(q, client); why != nil {
			return h.refuse(w, r, q, *why)
		}
	}
	at := h.Now()
	facts, err := h.facts(r, opened, at)
	if err != nil {
		return err
	}
	next := flow.NextStep(q, facts, at)
	switch {
	case next.Refusal != nil:
		return h.refuse(w, r, q, *next.Refusal)
	case next.Page != "":
		return h.redirectToStep(w, next.Page, opened)
	case q.Kind == request.Page:
		return web.SeeOther(w, q.Path)
	case q.Kind == request.Cookies:
		return h.Apps.AnswerWithCookies(w, r, opened, *facts.Current)
	}
	return h.answerCode(w, q, client, *facts.Current, at)
}

// facts reads what the decision is made from, and no more than it can need.
func (h *Handler) facts(r *http.Request, opened request.Opened, at time.Time) (flow.Facts, error) {
	q, client := opened.Request, opened.Client
	current, err := h.Visits.SignedIn(r)
	if err != nil || current == nil {
		return flow.Facts{Client: client}, err
	}
	facts := flow.Facts{Current: current, Client: client}
	if q.Kind == request.Code && !client.FirstParty && !client.SkipConsent {
		facts.Consent, err = h.DB.Consent(r.Context(), current.UserID, client.ID, at)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return facts, fmt.Errorf("read consent: %w", err)
		}
	}
	facts.NoWayToReauthenticate, err = h.cannotReauthenticate(r.Context(), q, client, *current, at)
	return facts, err
}

// stuck reports whether somebody who came for this request through an upstream, and is
// not fresh enough, has no other way that could help. Nothing is read for anybody else.
func (h *Handler) cannotReauthenticate(ctx context.Context, q request.Request, client storage.Client, current session.Current, at time.Time) (bool, error) {
	if !current.Has(storage.FactArrived, q.ID) || current.Meets(q.Freshness(client), at) {
		return false, nil
	}
	ways, err := h.Visits.WaysToProve(ctx, current, q)
	return !ways.Any(), err
}

// goTo sends the browser to a step with its request, sealed already or not.
func (h *Handler) redirectToStep(w http.ResponseWriter, page string, opened request.Opened) error {
	sealed := opened.Sealed
	if sealed == "" {
		var err error
		if sealed, err = h.Requests.Seal(opened.Request); err != nil {
			return fmt.Errorf("seal request: %w", err)
		}
	}
	return web.SeeOther(w, h.Site.Base+request.StepPath(page, sealed))
}
