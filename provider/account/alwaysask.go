package account

import (
	"errors"
	"net/http"

	"signet/provider/factor"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

const alwaysAskPath = "/account/security/always-ask"

// alwaysAskChoice returns the choice that the person can change on the security page; nil: there is
// none to show. It has an effect only without an app and a security key.
func (h *Handler) alwaysAskChoice(has storage.SecondFactors) *templates.AlwaysAskChoice {
	if !h.Passkeys.Offered() || len(has.Passkeys) == 0 {
		return nil
	}
	if !has.AlwaysAsk && has.Any() {
		return nil
	}
	return &templates.AlwaysAskChoice{On: has.AlwaysAsk}
}

// askAlwaysAsk asks whether to change the choice to be asked for a passkey at every sign-in.
func (h *Handler) askAlwaysAsk(w http.ResponseWriter, r *http.Request, current session.Current) error {
	if !h.Visits.IsFresh(current) {
		return h.Visits.StepUp(w, r, securityAct(alwaysAskPath))
	}
	has, err := h.DB.SecondFactorsOf(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	choice := h.alwaysAskChoice(has)
	if choice == nil { // another request has removed the passkey meanwhile
		return h.showSecurity(w, r, current)
	}
	page := templates.AccountAlwaysAsk{Account: h.frame(r, current, "security"), On: !choice.On}
	if page.Ticket, err = h.ticket(current, "always-ask", page.Value()); err != nil {
		return err
	}
	return h.Site.Show(w, page)
}

// changeAlwaysAsk stores the choice. If it makes recovery codes, it shows them: they are part of this
// answer only.
func (h *Handler) changeAlwaysAsk(w http.ResponseWriter, r *http.Request, current session.Current) error {
	values, err := readForm(w, r, "choice")
	if err != nil {
		return err
	}
	choice := values.Get("choice")
	if err := h.Visits.CheckForm(values, ticketOf(current, "always-ask", choice), alwaysAskPath); err != nil {
		return err
	}
	codes, hashes, err := factor.NewCodes(h.Ring, current.UserID)
	if err != nil {
		return err
	}
	change, newCodes := storage.AlwaysAskChange{On: choice == templates.AlwaysAskOn, Codes: hashes}, false
	err = h.Visits.ChangeFactors(w, r, current, func(c storage.FactorChange) (s storage.Session, err error) {
		change.FactorChange = c
		s, newCodes, err = h.DB.SetAlwaysAsk(r.Context(), change, h.Now())
		return s, err
	})
	switch {
	case errors.Is(err, storage.ErrConflict): // another request has done the same
		return web.StaleForm(h.Site.Base+securityPath, err)
	case err != nil:
		return h.factorProblem(w, r, current, alwaysAskPath, err)
	case newCodes:
		return h.Site.Show(w, templates.AccountCodes{Account: h.frame(r, current, "security"), Codes: codes, Added: words.Say("account-done.always-ask")})
	}
	return h.showDone(w, securityPath, map[bool]string{true: "always-ask", false: "not-always-ask"}[change.On])
}
