package address

import (
	"errors"
	"net/http"

	"signet/provider/link"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showUndo shows the effect of an undo, or the page that follows it. It changes nothing. It does not
// name the new address: the former one may belong to another person now.
func (h *Handler) showUndo(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("done") == "undone" {
		return h.Site.Show(w, templates.UndoEmail{Common: h.Site.Common(), Done: true})
	}
	sealed := r.URL.Query().Get(link.Parameter)
	l, err := h.Links.Open(r.Context(), storage.LinkUndo, sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	web.TraceOf(r.Context()).NoteUser(l.UserID)
	return h.Site.ShowSecretURL(w, http.StatusOK, templates.UndoEmail{Common: h.Site.Common(), Link: sealed, Email: l.Address})
}

// undo restores the former address. It signs nobody in: the person signs in with one of the restored
// ways.
func (h *Handler) undo(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter)
	if err != nil {
		return err
	}
	l, err := h.Links.Open(r.Context(), storage.LinkUndo, form.Get(link.Parameter))
	if err != nil {
		return h.Links.Problem(err)
	}
	trace := web.TraceOf(r.Context())
	trace.NoteUser(l.UserID)
	err = h.DB.UndoAddressChange(r.Context(), storage.AddressUndo{Link: l.Ref(), UserID: l.UserID, From: trace.Origin()}, h.Now())
	switch {
	case errors.Is(err, storage.ErrConflict):
		return h.addressTaken(err)
	case err != nil:
		return h.Links.Problem(err)
	}
	return web.SeeOther(w, h.Site.Base+undoPath+"?done=undone")
}
