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

// dispatch reads the facts, gets the next step from flow, and performs it. opened.Sealed
// is "" if the request has not been sent to the browser yet. Most requests are answered
// without that.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, opened request.Opened) error {
	q, client := opened.Request, opened.Client
	if q.Kind == request.Code {
		if refusal := checkRemainingRights(q, client); refusal != nil {
			return h.refuse(w, r, q, client, *refusal)
		}
	}
	at := h.Now()
	facts, err := h.facts(r, opened, at)
	if err != nil {
		return err
	}
	if q.Kind == request.Code {
		r = h.syncBrowserState(w, r, facts.Current)
	}
	next := flow.NextStep(q, facts, at)
	switch {
	case next.Refusal != nil:
		return h.refuse(w, r, q, client, *next.Refusal)
	case next.Page != "":
		return h.redirectToStep(w, next.Page, opened)
	case q.Kind == request.Page:
		return web.SeeOther(w, q.Path)
	case q.Kind == request.Cookies:
		return h.Apps.AnswerWithCookies(w, r, opened, *facts.Current)
	}
	if err := h.usePushed(r, q, client, at); err != nil {
		return err
	}
	return h.answer(w, r, opened, *facts.Current, at)
}

// facts reads the facts that flow.NextStep needs. It reads no consent if the client needs
// none, and the ways of the user only if the request wants a stronger sign-in.
func (h *Handler) facts(r *http.Request, opened request.Opened, at time.Time) (flow.Facts, error) {
	q, client := opened.Request, opened.Client
	current, err := h.Visits.SignedIn(r)
	if err != nil || current == nil {
		return flow.Facts{Client: client}, err
	}
	facts := h.Policy.Facts(q, client, current)
	if q.Kind == request.Code && !client.SkipsConsent() {
		facts.Consent, err = h.DB.Consent(r.Context(), current.UserID, client.ID, at)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return facts, fmt.Errorf("read consent: %w", err)
		}
	}
	if facts.WantsMore(q) {
		if facts.Reach, err = h.Visits.ReachableACR(r.Context(), current.UserID); err != nil {
			return facts, err
		}
	}
	facts.NoWayToReauthenticate, err = h.cannotReauthenticate(r.Context(), q, client, *current, at)
	return facts, err
}

// cannotReauthenticate reports whether the user signed in through an upstream for this
// request, the sign-in is not fresh enough, and the user has no other way to prove their
// identity. It reads the database only if the first two conditions hold.
func (h *Handler) cannotReauthenticate(ctx context.Context, q request.Request, client storage.Client, current session.Current, at time.Time) (bool, error) {
	if !current.Has(storage.FactArrived, q.ID) || current.Meets(q.Freshness(client), at) {
		return false, nil
	}
	ways, err := h.Visits.WaysToProve(ctx, current, q)
	return !ways.Any(), err
}

// redirectToStep sends the browser to the page of a step. It seals the request first if it
// is not sealed yet.
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
