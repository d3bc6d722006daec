package signup

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/flow"
	"signet/provider/link"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// showNewAccount shows the form of a link. It changes nothing, because mail scanners fetch links.
func (h *Handler) showNewAccount(w http.ResponseWriter, r *http.Request) error {
	if err := h.checkOpen(request.Opened{}); err != nil {
		return err
	}
	sealed := r.URL.Query().Get(link.Parameter)
	l, err := h.open(r.Context(), storage.LinkSignUp, sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	return h.newAccountPage(w, http.StatusOK, templates.NewAccount{Link: sealed, Email: l.Address})
}

// open reads a link of the kind and spends nothing. *storage.DeadLinkError: it cannot be used, or
// its address has an account.
func (h *Handler) open(ctx context.Context, kind storage.LinkKind, sealed string) (storage.MailLink, error) {
	l, err := h.Links.Open(ctx, kind, sealed)
	if err != nil {
		return l, err
	}
	_, _, err = h.DB.UserByEmail(ctx, l.Address)
	switch {
	case err == nil:
		return l, &storage.DeadLinkError{Kind: l.Kind, Code: "link_address_taken"}
	case errors.Is(err, storage.ErrNotFound):
		return l, nil
	}
	return l, err
}

func (h *Handler) newAccountPage(w http.ResponseWriter, status int, page templates.NewAccount) error {
	page.Common, page.MinLength = h.Site.Common(), h.Directory.MinPasswordLength()
	return h.Site.ShowSecretURL(w, status, page)
}

// createAccount creates the account and spends the link. A name or password that breaks a rule
// spends nothing.
func (h *Handler) createAccount(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, link.Parameter, "username", "name", "new-password")
	if err != nil {
		return err
	}
	if err := h.checkOpen(request.Opened{}); err != nil {
		return err
	}
	sealed := form.Get(link.Parameter)
	l, err := h.open(r.Context(), storage.LinkSignUp, sealed)
	if err != nil {
		return h.Links.Problem(err)
	}
	asked := visit.OriginOf(l)
	on, err := h.wayOn(r.Context(), asked) // before the link is spent: this may fail
	if err != nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	user, err := h.Directory.CreateUserByLink(r.Context(), l, storage.User{Name: form.Get("name")}, form.Get("new-password"), trace.Origin())
	if err == nil {
		trace.NoteUser(user.ID)
		if h.Visits.IsFrom(r, asked) {
			return h.signIn(w, r, user, on)
		}
		return web.SeeOther(w, h.Site.Base+flow.SignUpPage+afterAccount(asked.ClientID))
	}
	status, refusal := newAccountRefusal(w.Header(), err)
	if refusal == nil {
		return h.Links.Problem(err)
	}
	credential.NoteRefusal(trace, refusal.Code, web.Because(refusal.Code, err))
	return h.newAccountPage(w, status, templates.NewAccount{Link: sealed, Email: l.Address, Name: form.Get("name"), Error: web.WithReference(r, refusal)})
}

// wayOn is the page after a new account, in the browser that asked for it.
type wayOn struct {
	opened request.Opened // the request that goes on; the zero value if there is none
	page   string         // the page if no request goes on
}

// wayOn returns the page to which the person goes on. After the request expired, the application
// starts a new one at its initiate_login_uri, or the person opens its client_uri.
func (h *Handler) wayOn(ctx context.Context, o visit.Origin) (wayOn, error) {
	on := wayOn{page: h.Site.Base + "/account"}
	var err error
	if on.opened, err = h.Visits.Reopen(ctx, o); err != nil || on.opened.Sealed != "" || o.Request == "" {
		return on, err
	}
	_, start, err := h.Visits.StartOf(ctx, o.ClientID)
	on.page = cmp.Or(start, on.page)
	return on, err
}

// afterAccount returns the query of the page after an account was created, which leads to the
// application of the client, or else to the sign-in page.
func afterAccount(clientID string) string {
	next := url.Values{"done": {"account"}}
	if clientID != "" {
		next.Set("client_id", clientID)
	}
	return "?" + next.Encode()
}

// signIn starts the session of a new user and goes on. The user has just chosen the password, so
// no further proof is needed.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, user storage.User, on wayOn) error {
	_, err := h.Sessions.Start(w, r, session.SignIn{
		UserID: user.ID, Request: on.opened.ID, ClientID: on.opened.Client.ID,
		ACR: storage.ACROneFactor, AMR: session.ByPassword, NotBefore: &user.NotBefore,
	})
	switch {
	case err != nil:
		return err
	case on.opened.Sealed != "":
		return h.Site.ContinueTo(w, h.Visits.NextAfterSignIn(on.opened.Sealed))
	}
	return h.Site.ContinueTo(w, on.page)
}

// newAccountRefusal returns the status and the message of the form for an error, or nil for an
// error that is not about the input.
func newAccountRefusal(header http.Header, err error) (int, *templates.FormError) {
	if weak := credential.Weakness(err); weak != nil {
		return http.StatusUnprocessableEntity, weak
	}
	if wrong, is := errors.AsType[*directory.FieldError](err); is && wrong.Field == "name" {
		return http.StatusUnprocessableEntity, &templates.FormError{Code: "invalid_name", Field: "name", Text: words.Say("set-up-problem.name")}
	}
	return web.FormRefusal(header, err)
}
