package interaction

import (
	"net/http"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showChoice asks which account to use (prompt=select_account). A browser has one session,
// so the user can continue with that account or sign in to another one.
func (h *Handler) showChoice(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r.Context(), r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	current, err := h.current(r, s)
	if err != nil {
		return err
	}
	answered, err := h.isAnswered(r.Context(), s, current, storage.Consent{}, choicePath)
	switch {
	case err != nil:
		return err
	case answered:
		return web.SeeOther(w, h.next(s))
	}
	ticket, err := h.Visits.SealTicket(choiceTicket(s, current))
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.ChooseAccount{
		Common: h.common(s), Request: s.Sealed, Ticket: ticket, User: person(current.User),
	})
}

// choiceTicket binds the answer to the user on the page.
func choiceTicket(s step, current session.Current) visit.Ticket {
	return visit.Ticket{Purpose: "select", Session: current.ID, Request: s.ID}
}

// choose stores the choice of this account, or leads to the sign-in page for another one.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request) error {
	s, form, err := h.openForm(w, r)
	if err != nil {
		return err
	}
	if form.Get("decision") != "continue" {
		return h.Site.ContinueTo(w, h.otherAccountPage(s))
	}
	current, err := h.current(r, s)
	if err != nil {
		return err
	}
	if err := h.Visits.CheckTicket(form.Get("ticket"), choiceTicket(s, current)); err != nil {
		return web.StaleForm(h.next(s), err)
	}
	if err := h.addFact(r.Context(), s, current, storage.FactChosen); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.next(s))
}
