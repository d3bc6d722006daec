package recovery

import (
	"time"

	"signet/provider/directory"
	"signet/provider/factor"
	"signet/provider/keys"
	"signet/provider/link"
	"signet/provider/passkey"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// Deps are the dependencies of a Handler.
type Deps struct {
	Site       *web.Site
	DB         *storage.DB
	Links      *link.Links
	Directory  *directory.Directory
	Requests   *request.Requests
	Visits     *visit.Visits
	Ring       *keys.Ring
	Factors    *factor.Factors
	Passkeys   *passkey.Passkeys
	Sessions   *session.Sessions
	Connectors []string // ids of the connectors with which users can sign in
	SendsMails bool     // otherwise no form asks for a mail
	Now        func() time.Time
}

// Handler serves the pages.
type Handler struct{ Deps }

// New returns the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

// Paths of the pages, below the issuer.
const (
	resetPath  = "/reset"
	signInPath = "/login"
)

// Routes lists the paths below the issuer that this package serves.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, serve web.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(serve)}
	}
	return []web.Route{
		page("GET|HEAD", "/reset", h.showReset),
		page("POST", "/reset", h.requestReset),
		page("GET|HEAD", "/link/reset", h.showNewPassword), // link.Path of this kind
		page("POST", "/link/reset", h.setNewPassword),
		page("GET|HEAD", "/link/passkey", h.showPasskey), // link.Path of this kind
		page("POST", "/link/passkey", h.addPasskey),
	}
}
