package recovery

import (
	"net/http"

	"signet/provider/credential"
	"signet/provider/link"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

// showNewPassword shows the form of a link. It changes nothing, because mail scanners fetch
// links.
func (h *Handler) showNewPassword(w http.ResponseWriter, r *http.Request) error {
	sealed := r.URL.Query().Get(link.Parameter)
	l, err := h.Links.Open(r.Context(), storage.LinkReset, sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	web.TraceOf(r.Context()).NoteUser(l.UserID)
	return h.newPasswordPage(w, http.StatusOK, templates.NewPassword{Link: sealed, Email: l.Address})
}

func (h *Handler) newPasswordPage(w http.ResponseWriter, status int, page templates.NewPassword) error {
	page.Common, page.MinLength = h.Site.Common(), h.Directory.MinPasswordLength()
	return h.Site.ShowSecretURL(w, status, page)
}

// setNewPassword sets the password and spends the link. A password that breaks a rule spends
// nothing.
func (h *Handler) setNewPassword(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "username", "new-password")
	if err != nil {
		return err
	}
	sealed := form.Get(link.Parameter)
	l, err := h.Links.Open(r.Context(), storage.LinkReset, sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	trace := web.TraceOf(r.Context())
	trace.NoteUser(l.UserID)
	err = h.Directory.ResetPasswordByLink(r.Context(), l, form.Get("new-password"), trace.Origin())
	if err == nil {
		return web.SeeOther(w, h.Site.Base+resetPath+"?done=password")
	}
	status, refusal := newPasswordRefusal(w.Header(), err)
	if refusal == nil {
		return h.Links.Problem(err)
	}
	credential.NoteRefusal(trace, refusal.Code, web.Because(refusal.Code, err))
	return h.newPasswordPage(w, status, templates.NewPassword{Link: sealed, Email: l.Address, Error: web.WithReference(r, refusal)})
}

// newPasswordRefusal returns the status and the message of the form for an error, or nil for an
// error that is not about the input.
func newPasswordRefusal(header http.Header, err error) (int, *templates.FormError) {
	if weak := credential.Weakness(err); weak != nil {
		return http.StatusUnprocessableEntity, weak
	}
	return web.FormRefusal(header, err)
}
