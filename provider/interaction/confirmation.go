package interaction

import (
	"net/http"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// mustProve reports whether the signed-in user must give a new proof of their identity. It
// is false if the request is for another account.
func (h *Handler) mustProve(s step, current session.Current) bool {
	other := flow.NamesOther(h.Subjects, s.Request, s.Client, current.User)
	return !other && !s.wantsOther && !current.Meets(s.Freshness(s.Client), h.Now())
}

// confirmPage returns the page that asks for a new proof, with the ways of this account to
// give one. An account without such a way gets an explanation of the next step.
func (h *Handler) confirmPage(w http.ResponseWriter, r *http.Request, s step, current session.Current) (templates.Confirm, error) {
	ways, err := h.Visits.WaysToProve(r.Context(), current, s.Request)
	if err != nil {
		return templates.Confirm{}, err
	}
	page := templates.Confirm{
		Common: h.common(s), Request: s.Sealed, User: person(current.User), Keep: current.Persistent,
		Wanted: proofWanted(s, current), Password: ways.Password, Forgot: h.SendsMails, Connectors: buttons(ways.Connectors, h.lastConnector(r)), Unable: ways.Unable,
		Cancel: s.Back, Other: h.otherAccountPage(s),
	}
	for _, c := range h.Connectors {
		if fact, tried := visit.LatestArrival(current, s.Request, c.ID()); tried {
			page.Tried, page.TriedSays = c.Name(), fact.Proved != 0 && s.Kind != request.Code
		}
	}
	if ways.Passkey {
		if page.Passkey, err = h.askPasskey(w, r, s); err != nil {
			return page, err
		}
		page.Passkey.Keep, page.Passkey.Only = page.Keep, !ways.Password && len(ways.Connectors) == 0
	}
	if s.Kind == request.Code {
		page.ForApp = true
		page.Ticket, err = h.Visits.SealTicket(declineTicket(s, current))
	}
	return page, err
}

// proofWanted returns the explanation for the page: how recent a proof the request needs.
func proofWanted(s step, current session.Current) templates.Wanted {
	fresh := s.Freshness(s.Client)
	w := templates.Wanted{Act: s.Act, Again: fresh.Reauthenticate, Unknown: current.AuthTime == 0}
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

// decline stores that the user declined to give a new proof. The dispatcher then reports
// that to the application.
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
	if err := h.addFact(r.Context(), s, current, storage.FactDeclined); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.next(s))
}
