package signup

import (
	"context"
	"net/http"
	"slices"

	"signet/provider/credential"
	"signet/provider/link"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
)

const invitationPath = "/link/invitation" // link.Path of this kind

// showInvitation shows the form of an invitation, or the page after its account was created. It
// changes nothing, because mail scanners fetch links.
func (h *Handler) showInvitation(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if done := query.Get("done"); done == "account" || done == "signed-in" {
		return h.showInvited(w, r, done == "signed-in", query.Get("client_id"))
	}
	sealed := query.Get(link.Parameter)
	l, invited, err := h.openInvitation(r.Context(), sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	return h.newAccountPage(w, http.StatusOK, templates.NewAccount{Invited: true, Connectors: h.Upstreams, Link: sealed, Email: l.Address, Name: invited.Name})
}

// openInvitation reads an invitation and spends nothing. *storage.DeadLinkError: it cannot be
// used, or its address has an account.
func (h *Handler) openInvitation(ctx context.Context, sealed string) (storage.MailLink, storage.Invitation, error) {
	l, err := h.open(ctx, storage.LinkInvitation, sealed)
	if err != nil {
		return l, storage.Invitation{}, err
	}
	invited, err := l.Invitation()
	return l, invited, err
}

// acceptInvitation creates the account and spends the invitation. A name or password that breaks a
// rule spends nothing. Nobody is signed in: nothing tells the browser of the invited person from
// that of a person to whom a stranger forwarded the link.
func (h *Handler) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "username", "name", "new-password")
	if err != nil {
		return err
	}
	sealed := form.Get(link.Parameter)
	l, invited, err := h.openInvitation(r.Context(), sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	trace := web.TraceOf(r.Context())
	user, err := h.Directory.CreateUserByLink(r.Context(), l, storage.User{Name: form.Get("name")}, form.Get("new-password"), trace.Origin())
	if err == nil {
		trace.NoteUser(user.ID)
		return web.SeeOther(w, h.Site.Base+invitationPath+afterAccount(invited.ClientID))
	}
	status, refusal := newAccountRefusal(w.Header(), err)
	if refusal == nil {
		return h.Links.Problem(err)
	}
	credential.NoteRefusal(trace, refusal.Code, web.Because(refusal.Code, err))
	page := templates.NewAccount{Invited: true, Connectors: h.Upstreams, Link: sealed, Email: l.Address, Name: form.Get("name"), Error: web.WithReference(r, refusal)}
	return h.newAccountPage(w, status, page)
}

// acceptThrough sends the person to an upstream, to accept the invitation with an identity there. It
// spends nothing: the account is created when the person comes back.
func (h *Handler) acceptThrough(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "connector")
	if err != nil {
		return err
	}
	l, _, err := h.openInvitation(r.Context(), form.Get(link.Parameter))
	if err != nil {
		return h.Links.Problem(err)
	}
	known := func(c templates.ConnectorButton) bool { return c.ID == form.Get("connector") }
	if !slices.ContainsFunc(h.Upstreams, known) {
		return h.Site.NotFound()
	}
	return h.Visits.DepartToAccept(w, r, form.Get("connector"), l.Ref(), "/account")
}

// showInvited shows the page after an invitation was accepted, which leads to the application of
// the invitation or to the sign-in page. It does not lead to an application that registered
// itself: anybody could make a link to this page that leads to their own one.
func (h *Handler) showInvited(w http.ResponseWriter, r *http.Request, signedIn bool, clientID string) error {
	app, start, err := h.Visits.StartOf(r.Context(), clientID)
	if err != nil {
		return err
	}
	return h.Site.Show(w, templates.Invited{Common: h.Site.Common(), SignedIn: signedIn, App: app, StartURL: start, SignIn: h.signInPage(request.Opened{})})
}
