package api

import (
	"net/http"
	"sync"
	"time"

	"signet/provider/directory"
	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/link"
	"signet/provider/web"
	"signet/storage"
)

// Deps are the dependencies of the API. All are required.
type Deps struct {
	DB         *storage.DB
	Ring       *keys.Ring
	Tokens     *flow.Tokens
	Directory  *directory.Directory
	Links      *link.Links
	Keys       *keeper.Keeper
	Connectors []Connector // of the settings
	SendsMails bool
	Style      string // URL of the style of pages
	Issuer     string
	Now        func() time.Time

	NeedsFactor bool // people with a role of administration need a second factor
}

// Handler serves the API.
type Handler struct {
	Deps
	list     []operation
	document func() ([]byte, error) // the OpenAPI document
	readable func() ([]byte, error) // its form for people
}

// New returns the API. The OpenAPI document is built at the first request for it, because that takes
// about as long as the rest of a start.
func New(d Deps) (*Handler, error) {
	h := &Handler{Deps: d}
	h.list = h.operations()
	if err := compileBodies(h.list); err != nil {
		return nil, err
	}
	h.document, h.readable = sync.OnceValues(h.openAPI), sync.OnceValues(h.renderReadable)
	return h, nil
}

// root is the path of the API below the issuer.
const root = web.AdminAPIRoot

// Routes returns the operations, and the document that describes them.
func (h *Handler) Routes() []web.Route {
	routes := []web.Route{{
		Methods: "GET|HEAD|OPTIONS", Path: "/admin/api/v1/openapi.json", Policy: web.DocumentPolicy,
		Handler: http.HandlerFunc(h.serveDocument), Specification: "OpenAPI 3.1", Refuse: refuseMethod,
	}, {
		Methods: "GET|HEAD", Path: "/admin/api", Policy: web.PagePolicy, Handler: http.HandlerFunc(h.serveReadable),
	}}
	for _, o := range h.list {
		routes = append(routes, web.Route{
			Methods: o.methods, Path: o.path, Policy: web.AdminAPIPolicy, Scopes: o.scopes(), Handler: h.handle(o), Refuse: refuseMethod,
		})
	}
	return routes
}

// refuseMethod answers a method that the path does not serve.
func refuseMethod(w http.ResponseWriter, r *http.Request, allow string) {
	web.API.Fail(w, r, because("method_not_allowed", "use "+allow))
}
