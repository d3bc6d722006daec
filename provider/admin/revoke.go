package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// revocableKey finds a key by its complete kid. The error for a revoked key is the same as
// for an unknown one.
func (h *Handler) revocableKey(ctx context.Context, id string) (keeper.Scheduled, error) {
	list, err := h.scheduled(ctx)
	if err != nil {
		return keeper.Scheduled{}, err
	}
	i := slices.IndexFunc(list, func(k keeper.Scheduled) bool { return k.ID == id && k.State != storage.KeyRevoked })
	if i < 0 {
		return keeper.Scheduled{}, &web.Problem{
			Status: http.StatusNotFound, Code: "not_found", Title: words.Say("admin-error.no-such-key.title"),
			Text:     words.Say("admin-error.no-such-key.text"),
			StartURL: h.Site.Base + keysPath, StartText: words.Say("admin-error.keys"),
		}
	}
	return list[i], nil
}

// revokeAct is the act of revoking a key, for the step-up. typed is the sealed content of
// the form, or "".
func revokeAct(id, typed string) visit.Act {
	query := url.Values{"kid": {id}}
	if typed != "" {
		query.Set("typed", typed)
	}
	return visit.Act{Name: "revoke", Page: revokePath + "?" + query.Encode(), Back: keysPath}
}

// askRevoke shows the consequences of revoking a key, and a form to confirm by typing its
// kid.
func (h *Handler) askRevoke(w http.ResponseWriter, r *http.Request, current session.Current) error {
	k, err := h.revocableKey(r.Context(), r.URL.Query().Get("kid"))
	if err != nil {
		return err
	}
	typed := r.URL.Query().Get("typed")
	if ok, err := h.confirmed(w, r, current, revokeAct(k.ID, typed)); !ok {
		return err
	}
	page, err := h.revokePage(r, current, k)
	if err != nil {
		return err
	}
	kept := h.Visits.OpenForm(typed, ticketOf(current, "keys.revoke", k.ID))
	page.Confirm, page.Reason = kept.Get("confirm"), kept.Get("reason")
	return h.Site.Show(w, page)
}

// revokePage returns the page with the consequences of revoking a key.
func (h *Handler) revokePage(r *http.Request, current session.Current, k keeper.Scheduled) (templates.AdminRevoke, error) {
	list, err := h.scheduled(r.Context())
	if err != nil {
		return templates.AdminRevoke{}, err
	}
	frame, err := h.frame(r, current, "keys")
	if err != nil {
		return templates.AdminRevoke{}, err
	}
	moment := h.moments(current)
	ticket, err := h.Visits.SealTicket(ticketOf(current, "keys.revoke", k.ID))
	consequences := templates.KeyConsequences(keeper.ConsequencesOf(rowsOf(list), k.Key))
	return templates.AdminRevoke{
		Admin: frame, Key: keyRow(k, moment), Damage: consequences.Damage(),
		Succession: consequences.Succession(func(t time.Time) string { return moment(t).Text }), Ticket: ticket,
	}, err
}

// revoke revokes a key immediately, like the command.
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, current session.Current) error {
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	k, err := h.revocableKey(r.Context(), form.Get("kid"))
	if err != nil {
		return err
	}
	if err := h.Visits.CheckForm(form, ticketOf(current, "keys.revoke", k.ID), keysPath); err != nil {
		return err
	}
	typed := url.Values{"confirm": form["confirm"], "reason": form["reason"]}
	sealed, err := h.Visits.SealForm(ticketOf(current, "keys.revoke", k.ID), typed)
	if err != nil {
		return err
	}
	if ok, err := h.confirmed(w, r, current, revokeAct(k.ID, sealed)); !ok {
		return err
	}
	if !keeper.Confirms(strings.TrimSpace(form.Get("confirm")), k.ID) {
		page, err := h.revokePage(r, current, k)
		if err != nil {
			return err
		}
		page.Wrong, page.Reason = words.Say("admin-revoke.wrong-kid"), form.Get("reason")
		return h.Site.ShowStatus(w, http.StatusUnprocessableEntity, page) // the form does not repeat the typed kid
	}
	_, err = h.Keys.Revoke(r.Context(), k.ID, form.Get("reason"), storage.By{From: h.originOf(r, current), At: h.Now()})
	if err := h.keysProblem(err, keysPath); err != nil {
		return err
	}
	return h.Site.ContinueTo(w, h.Site.Base+keysPath+"?"+url.Values{"done": {"revoked"}, "kid": {k.ID}}.Encode())
}
