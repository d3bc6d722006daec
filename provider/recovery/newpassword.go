package recovery

import (
	"errors"
	"net/http"
	"net/url"

	"signet/provider/credential"
	"signet/provider/link"
	"signet/provider/request"
	"signet/provider/visit"
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
	return h.newPasswordPage(w, r, http.StatusOK, l, templates.NewPassword{Link: sealed})
}

// newPasswordPage shows the form of a link. If the address of the account is not verified, the form
// warns the person that the new password deletes everything set up before.
func (h *Handler) newPasswordPage(w http.ResponseWriter, r *http.Request, status int, l storage.MailLink, page templates.NewPassword) error {
	u, err := h.DB.User(r.Context(), l.UserID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	page.Email, page.Evicts = l.Address, l.Evicts(u)
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
	next, err := h.wayOn(r, visit.OriginOf(l)) // before the link is spent: this may fail
	if err != nil {
		return err
	}
	err = h.Directory.ResetPasswordByLink(r.Context(), l, form.Get("new-password"), h.Connectors, trace.Origin())
	if err == nil {
		return web.SeeOther(w, next)
	}
	status, refusal := newPasswordRefusal(w.Header(), err)
	if refusal == nil {
		return h.Links.Problem(err)
	}
	credential.NoteRefusal(trace, refusal.Code, web.Because(refusal.Code, err))
	return h.newPasswordPage(w, r, status, l, templates.NewPassword{Link: sealed, Error: web.WithReference(r, refusal)})
}

// wayOn returns the address of the page after a new password. In the browser that asked for the
// link, its sign-in page continues the authorization request; otherwise the page leads to the
// application.
func (h *Handler) wayOn(r *http.Request, o visit.Origin) (string, error) {
	if h.Visits.IsFrom(r, o) {
		opened, err := h.Visits.Reopen(r.Context(), o)
		if err != nil || opened.Sealed != "" {
			return h.after("password", opened), err
		}
	}
	next := h.after("password", request.Opened{})
	if o.ClientID != "" {
		next += "&" + url.Values{"client_id": {o.ClientID}}.Encode()
	}
	return next, nil
}

// newPasswordRefusal returns the status and the message of the form for an error, or nil for an
// error that is not about the input.
func newPasswordRefusal(header http.Header, err error) (int, *templates.FormError) {
	if weak := credential.Weakness(err); weak != nil {
		return http.StatusUnprocessableEntity, weak
	}
	return web.FormRefusal(header, err)
}
