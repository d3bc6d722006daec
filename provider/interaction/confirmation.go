package interaction

import (
	"context"
	"net/http"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// proofNeeded returns what the signed-in user must prove; the zero value if it is nothing or the
// request is for another account.
func (h *Handler) proofNeeded(ctx context.Context, s step, current session.Current) (flow.Proof, error) {
	facts, err := h.facts(ctx, s, &current)
	if err != nil || facts.OtherUser || s.wantsOther {
		return flow.Proof{}, err
	}
	return flow.ProofNeeded(s.Request, facts, h.Now()), nil
}

// confirmPage returns the page that asks for a new proof, with the ways of this account to
// give one. An account without such a way gets an explanation of the next step.
//
// If the request only prefers a stronger sign-in, a sign-in that is recent enough comes first, by
// any way.
func (h *Handler) confirmPage(w http.ResponseWriter, r *http.Request, s step, current session.Current, needed flow.Proof) (templates.Confirm, error) {
	ways, err := h.Visits.WaysToProve(r.Context(), current, s.Request)
	if err != nil {
		return templates.Confirm{}, err
	}
	if needed.ACR != "" && (needed.Firm || !needed.Again) {
		ways = ways.OnlyReaching(needed.ACR, !needed.Again)
	}
	page := templates.Confirm{
		Common: h.common(s), Request: s.Sealed, User: person(current.User), Keep: current.Persistent,
		Wanted: proofWanted(s, current, needed), Password: ways.Password, Forgot: h.SendsMails, Connectors: buttons(ways.Connectors, h.lastConnector(r)), Unable: ways.Unable,
		Cancel: s.Back, Other: h.otherAccountPage(s),
	}
	if ways.Factor {
		page.Factor = h.factorPageOf(s)
	}
	for _, c := range h.Connectors {
		if fact, tried := visit.LatestArrival(current, s.Request, c.ID()); tried && needed.Again {
			page.Tried, page.TriedSays = c.Name(), fact.Proved != 0 && s.Kind != request.Code
		}
	}
	if ways.Passkey {
		if page.Passkey, err = h.askPasskey(w, r, s); err != nil {
			return page, err
		}
		page.Passkey.Keep, page.Passkey.Only = page.Keep, !ways.Password && !ways.Factor && len(ways.Connectors) == 0
	}
	if canDecline(s, needed) {
		page.Decline, page.NotNow = true, !needed.Again && !needed.Firm
		page.Ticket, err = h.Visits.SealTicket(declineTicket(s, current))
	}
	return page, err
}

// canDecline reports whether the user can go on, or back to the application, without the proof.
// Signet's own pages have a link back instead.
func canDecline(s step, needed flow.Proof) bool {
	return s.Kind == request.Code || s.Kind != request.Page && !needed.Again
}

// proofWanted returns the explanation for the page: how recent or how strong a proof the request
// needs.
func proofWanted(s step, current session.Current, needed flow.Proof) templates.Wanted {
	fresh := s.Freshness(s.Client)
	w := templates.Wanted{Act: s.Act, Again: fresh.Reauthenticate, Unknown: current.AuthTime == 0}
	if !needed.Again {
		w.Unknown, w.Stronger, w.Key = false, true, storage.ACRReaches(needed.ACR, storage.ACRPhishingResistant)
		return w
	}
	switch {
	case fresh.MaxAge == nil:
	case *fresh.MaxAge == 0:
		w.Again = true
	default:
		w.MaxAge = *fresh.MaxAge
	}
	return w
}

// declineTicket binds the answer to the user on the page.
func declineTicket(s step, current session.Current) visit.Ticket {
	return visit.Ticket{Purpose: "decline", Session: current.ID, Request: s.ID}
}

// decline stores that the user declined to give a new or a stronger proof. The dispatcher then
// reports that to the application, or goes on with the proof that there is.
func (h *Handler) decline(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r, "request", "ticket")
	if err != nil {
		return err
	}
	current, err := h.current(r, s)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), declineTicket(s, current)); err != nil {
		return web.StaleForm(h.next(s), err)
	}
	fact := storage.FactDeclined
	if current.Meets(s.Freshness(s.Client), h.Now()) {
		fact = storage.FactNotNow
	}
	if err := h.addFact(r.Context(), s, current, fact); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.next(s))
}
