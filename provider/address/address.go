package address

import (
	"time"

	"signet/provider/link"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// Deps are the dependencies of a Handler. All are required.
type Deps struct {
	Site     *web.Site
	DB       *storage.DB
	Links    *link.Links
	Visits   *visit.Visits
	Sessions *session.Sessions
	Now      func() time.Time
}

// Handler serves the pages.
type Handler struct{ Deps }

// New returns the handler of the pages.
func New(d Deps) *Handler { return &Handler{d} }

// Paths of the pages, below the issuer.
const (
	verifyPath  = "/link/verify"
	undoPath    = "/link/undo"
	enrolPath   = "/link/enrol"
	accountPath = "/account"
	emailPath   = "/account/email"
)

// Routes lists the paths below the issuer that this package serves.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path string, serve web.Handler) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(serve)}
	}
	return []web.Route{
		page("GET|HEAD", "/link/verify", h.showVerify), // link.Path of this kind
		page("POST", "/link/verify", h.verify),
		page("GET|HEAD", "/link/undo", h.showUndo), // link.Path of this kind
		page("POST", "/link/undo", h.undo),
		page("GET|HEAD", "/link/enrol", h.showEnrol), // link.Path of this kind
		page("POST", "/link/enrol", h.enrol),
	}
}
