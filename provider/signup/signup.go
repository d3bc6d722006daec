package signup

import (
	"net/http"

	"signet/provider/directory"
	"signet/provider/link"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// Deps are the dependencies of a Handler.
type Deps struct {
	Site      *web.Site
	DB        *storage.DB
	Links     *link.Links
	Directory *directory.Directory
	Clients   *request.Clients
}

// Handler serves the pages.
type Handler struct{ Deps }

// New returns the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

// Paths of the pages, below the issuer.
const (
	signUpPath = "/signup"
	signInPath = "/login"
)

// Routes lists the paths below the issuer that this package serves.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, serve web.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(serve)}
	}
	return []web.Route{
		page("GET|HEAD", "/signup", h.showSignUp),
		page("GET|HEAD", "/link/signup", h.showNewAccount), // link.Path of this kind
		page("POST", "/link/signup", h.createAccount),
		page("GET|HEAD", "/link/invitation", h.showInvitation), // invitationPath
		page("POST", "/link/invitation", h.acceptInvitation),
	}
}

// showSignUp shows the page after an account was created.
func (h *Handler) showSignUp(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("done") == "account" {
		return h.Site.Show(w, templates.SignUp{Common: h.Site.Common(), Created: true})
	}
	return h.closed()
}

// closed returns the page of a server on which nobody can sign up.
func (h *Handler) closed() error {
	return &web.Problem{
		Status: http.StatusForbidden, Code: "signup_closed", Title: words.Say("sign-up.closed-title"), Text: words.Say("sign-up.closed"),
		StartURL: h.Site.Base + signInPath, StartText: words.Say("sign-up.to-sign-in"),
	}
}
