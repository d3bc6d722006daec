package signup

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

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

// Deps are the dependencies of a Handler.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Links      *link.Links
	Directory  *directory.Directory
	Requests   *request.Requests
	Sessions   *session.Sessions
	Visits     *visit.Visits
	Connectors []templates.ConnectorButton // with which people can create an account
	Upstreams  []templates.ConnectorButton // all connectors: invited people can create an account with each
	Open       bool                        // the operator lets everybody create an account
	SendsMails bool                        // otherwise no form asks for a mail
	Now        func() time.Time
}

// Handler serves the pages.
type Handler struct{ Deps }

// New returns the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

// Routes lists the paths below the issuer that this package serves.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, serve web.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(serve)}
	}
	return []web.Route{
		{
			Methods: "GET|HEAD", Path: "/signup", Policy: web.PagePolicy, // flow.SignUpPage
			Handler: h.Site.Page(h.showSignUp), Specification: "Initiating User Registration via OpenID Connect 1.0, section 4",
		},
		page("POST", "/signup", h.requestSignUp),
		page("GET|HEAD", "/link/signup", h.showNewAccount), // link.Path of this kind
		page("POST", "/link/signup", h.createAccount),
		page("GET|HEAD", "/link/invitation", h.showInvitation), // invitationPath
		page("POST", "/link/invitation", h.acceptInvitation),
		page("POST", "/link/invitation/connect", h.acceptThrough),
	}
}

// accountPage is the page to which people come who sign up without an application.
const accountPage = "/account"

// showSignUp shows the form for an address, or one of the pages that follow.
func (h *Handler) showSignUp(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("done") == "account" {
		app, start, err := h.Visits.StartOf(r.Context(), query.Get("client_id"))
		if err != nil {
			return err
		}
		return h.Site.Show(w, templates.SignUp{Common: h.Site.Common(), Created: true, App: app, StartURL: start, SignIn: h.signInPage(request.Opened{})})
	}
	opened, err := h.openRequest(r, query.Get("request"))
	if err != nil {
		return err
	}
	if err := h.checkOpen(opened); err != nil {
		return err
	}
	switch answered, err := h.isAnswered(r, opened); {
	case err != nil:
		return err
	case answered:
		return web.SeeOther(w, h.Visits.Next(opened.Sealed))
	}
	h.Visits.SetTestCookie(w, r)
	return h.signUpPage(w, http.StatusOK, opened, templates.SignUp{Email: opened.LoginHint, Sent: query.Get("done") == "mail"})
}

// isAnswered reports whether the person has signed in for the request, such as with the link of
// the mail. The page of an answered request is shown again by the browser's Back.
func (h *Handler) isAnswered(r *http.Request, opened request.Opened) (bool, error) {
	if opened.Sealed == "" {
		return false, nil
	}
	current, err := h.Visits.SignedIn(r)
	return current != nil && current.Answered(opened.ID), err
}

func (h *Handler) signUpPage(w http.ResponseWriter, status int, opened request.Opened, page templates.SignUp) (err error) {
	page.Common, page.Request, page.SignIn = h.Visits.Common(opened), opened.Sealed, h.signInPage(opened)
	page.Connectors, page.Trip = h.Connectors, opened.Sealed
	if len(page.Connectors) > 0 && page.Trip == "" { // a trip to an upstream needs a request
		if page.Trip, err = h.requestForAccount(); err != nil {
			return err
		}
	}
	return h.Site.ShowStatus(w, status, page)
}

// requestForAccount returns a sealed request that ends at the person's own account.
func (h *Handler) requestForAccount() (string, error) {
	q, ok := h.Visits.RequestFor(h.Site.Base + accountPage)
	if !ok {
		return "", fmt.Errorf("make a request for %s", accountPage)
	}
	return h.Requests.Seal(q)
}

// openRequest opens the authorization request that the person comes from; the zero value if
// there is none.
func (h *Handler) openRequest(r *http.Request, sealed string) (request.Opened, error) {
	if sealed == "" {
		return request.Opened{}, nil
	}
	return h.Requests.Open(r.Context(), sealed, h.Now())
}

// signInPage returns the address of the sign-in page for people with an account.
func (h *Handler) signInPage(opened request.Opened) string {
	if opened.Sealed == "" {
		return h.Site.Base + flow.SignInPage
	}
	return h.Site.Base + request.StepPath(flow.SignInPage, opened.Sealed)
}

// checkOpen returns the page of a server on which nobody can sign up; nil if people can.
func (h *Handler) checkOpen(opened request.Opened) error {
	p := &web.Problem{
		Status: http.StatusForbidden, Code: "signup_closed", Title: words.Say("sign-up.closed-title"), Text: words.Say("sign-up.closed"),
		StartURL: h.signInPage(opened), StartText: words.Say("sign-up.to-sign-in"),
	}
	switch {
	case !h.Open:
		return p
	case !h.SendsMails:
		p.Code, p.Text = "no_mails", words.Say("sign-up.no-mails")
		return p
	}
	return nil
}

var errEmail = errors.New("not an email address") // the text is logged, so it has no address

// requestSignUp sends a mail to the address of the form. The answer is the same for every address.
func (h *Handler) requestSignUp(w http.ResponseWriter, r *http.Request) error {
	form, err := web.FormWithFields(w, r, "email", "request")
	if err != nil {
		return err
	}
	opened, err := h.openRequest(r, form.Get("request"))
	if err != nil {
		return err
	}
	if err := h.checkOpen(opened); err != nil {
		return err
	}
	err = h.mailLink(w, r, opened, form.Get("email"))
	if err == nil {
		next := h.Site.Base + flow.SignUpPage + "?done=mail"
		if opened.Sealed != "" {
			next = h.Site.Base + request.StepPath(flow.SignUpPage, opened.Sealed) + "&done=mail"
		}
		return web.SeeOther(w, next)
	}
	status, refusal := signUpRefusal(w.Header(), err)
	if refusal == nil {
		return err
	}
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.MarkRecorded()
	return h.signUpPage(w, status, opened, templates.SignUp{Email: form.Get("email"), Error: web.WithReference(r, refusal)})
}

// mailLink has the mail written. errEmail, *storage.ThrottledError.
func (h *Handler) mailLink(w http.ResponseWriter, r *http.Request, opened request.Opened, email string) error {
	email = strings.TrimSpace(email)
	canonical, err := storage.CanonicalEmail(email)
	if err != nil || directory.CheckEmail(email) != nil {
		return errEmail
	}
	from := web.TraceOf(r.Context()).Origin()
	limits, err := h.Links.Limits(canonical, from.Address)
	if err != nil {
		return err
	}
	detail, err := h.Visits.NoteOrigin(w, r, opened)
	if err != nil {
		return err
	}
	userID, err := h.DB.RequestSignUp(r.Context(), storage.SignUpRequest{Email: email, ClientID: opened.Client.ID, Limits: limits, Detail: detail, From: from}, h.Now())
	web.TraceOf(r.Context()).NoteUser(userID)
	return err
}

// signUpRefusal returns the status and the message of the form for an error, or nil for an error
// that is not about the input.
func signUpRefusal(header http.Header, err error) (int, *templates.FormError) {
	if errors.Is(err, errEmail) {
		return http.StatusUnprocessableEntity, &templates.FormError{
			Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com"),
		}
	}
	status, refusal := web.FormRefusal(header, err)
	if status == http.StatusTooManyRequests {
		refusal.Text = words.Say("reset.too-many")
	}
	return status, refusal
}
