package account

import (
	"errors"
	"net/http"

	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// emailState returns what the pages say about the address, with the ticket of the form that asks
// for a link, if the address can be proven by one.
func (h *Handler) emailState(current session.Current) (state templates.EmailState, err error) {
	u := current.User
	state.None, state.Verified = u.Email == "", u.EmailVerified
	if state.Provable = h.SendsMails && !state.None && !state.Verified; state.Provable {
		state.Ticket, err = h.ticket(current, "email.verify", u.Email)
	}
	return state, err
}

// showEmail shows the address, and the ways to sign in.
func (h *Handler) showEmail(w http.ResponseWriter, r *http.Request, current session.Current) error {
	return h.emailPage(w, r, http.StatusOK, current, nil)
}

func (h *Handler) emailPage(w http.ResponseWriter, r *http.Request, status int, current session.Current, problem *templates.FormError) error {
	attached, err := h.DB.AttachedTo(r.Context(), current.UserID, h.Now())
	if err != nil {
		return err
	}
	page := templates.AccountEmail{Account: h.frame(r, current, "email"), SendsMails: h.SendsMails, Error: web.WithReference(r, problem)}
	if page.Email, err = h.emailState(current); err != nil {
		return err
	}
	times := visit.MomentsFor(current.User, h.Now())
	codes := false
	for _, f := range attached.Factors {
		if f.Kind == storage.FactorRecovery { // all codes are one way
			if codes {
				continue
			}
			codes = true
		}
		if f.Kind == storage.FactorPassword {
			page.Password = times.Write(f.CreatedAt)
			continue
		}
		page.Factors = append(page.Factors, templates.FactorRow{Label: templates.FactorLabel(f.Kind), Name: f.Name, Since: times.Write(f.CreatedAt)})
	}
	for _, i := range attached.Identities {
		row, err := h.identityRow(current, i)
		if err != nil {
			return err
		}
		page.Identities = append(page.Identities, row)
	}
	return h.Site.ShowStatus(w, status, page)
}

// requestProof mails a link to the unverified address of the account.
func (h *Handler) requestProof(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r)
	if err != nil {
		return err
	}
	u := current.User
	if err := h.Visits.CheckForm(values, ticketOf(current, "email.verify", u.Email), emailPath); err != nil {
		return err
	}
	if !h.SendsMails || u.Email == "" || u.EmailVerified {
		return web.StaleForm(h.Site.Base+emailPath, storage.ErrConflict)
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(u.EmailCanonical, from.Address)
	if err != nil {
		return err
	}
	err = h.DB.RequestAddressProof(r.Context(), storage.AddressRequest{UserID: u.ID, SessionID: current.ID, Email: u.Email, Limits: limits, From: from}, h.Now())
	switch {
	case err == nil:
		return h.showDone(w, emailPath, "mail")
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrRevoked):
		return web.StaleForm(h.Site.Base+emailPath, err)
	}
	status, refusal := web.FormRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	if status == http.StatusTooManyRequests {
		refusal.Text = words.Say("reset.too-many")
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.MarkRecorded()
	return h.emailPage(w, r, status, current, refusal)
}
