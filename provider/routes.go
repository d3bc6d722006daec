package provider

import (
	"net/http"
	"slices"

	"signet/provider/web"
)

// Routes is the list of everything that the provider serves, in the order in which
// docs/routes.md tells it: the list is the documentation. Each room gives its rows.
func (p *Provider) Routes() []web.Route {
	return slices.Concat(
		of("oauth", p.oauth.Routes()),
		of("interaction", p.steps.Routes()),
		of("firstparty", p.firstParty.Routes()),
		of("account", p.account.Routes()),
		of("admin", p.admin.Routes()),
		[]web.Route{
			{Methods: "POST", Path: "/login", Policy: web.People, Handler: web.ByBody(p.steps.Login(), p.firstParty.Login())},
			{Methods: "GET|HEAD", Path: "/{$}", Policy: web.Arrivals, Handler: p.site.Plain(p.home)},
			{Methods: "GET|HEAD", Path: "/healthz", Policy: web.Ready, Handler: http.HandlerFunc(healthz)},
			{Methods: "GET|HEAD", Path: "/readyz", Policy: web.Watchers, Handler: http.HandlerFunc(p.readyz)},
		},
	)
}

// of notes the room of its routes.
func of(room string, routes []web.Route) []web.Route {
	for i := range routes {
		routes[i].Room = room
	}
	return routes
}

// middleware stands between the network and the routes.
type middleware func(next http.Handler) http.Handler

// serve makes the handler of everything: the middlewares, outermost first, around the
// router of the list.
func (p *Provider) serve(list []web.Route) http.Handler {
	handler, ready := p.router(list)
	for _, around := range slices.Backward([]middleware{
		func(next http.Handler) http.Handler { return web.Headers(p.issuer.Scheme == "https", next) },
		func(next http.Handler) http.Handler { return atOnce(ready, next) },
		p.bounded,
		func(next http.Handler) http.Handler {
			return web.Traced(p.Log, p.TrustedProxies, p.Now, http.HandlerFunc(p.broken), next)
		},
		p.jobs.Recorded,
		plainPaths,
	}) {
		handler = around(handler)
	}
	return handler
}

// router serves the list, and gives the documents by their whole paths.
func (p *Provider) router(list []web.Route) (_ http.Handler, ready map[string]http.Handler) {
	below, host := web.NewRouter(p.wrongMethodPage, methodNotAllowed), web.NewRouter(p.wrongMethodPage, methodNotAllowed)
	ready = map[string]http.Handler{}
	for _, route := range list {
		if route.Policy == web.Ready {
			if !route.AtHost {
				route.Path, route.AtHost = p.base+route.Path, true
			}
			ready[route.Path] = route.Handler
		}
		if route.AtHost {
			host.Add(route)
		} else {
			below.Add(route)
		}
	}
	below.Elsewhere(p.nowhere)
	host.Below(p.files.Prefix(), p.files)
	host.Below(p.base+"/", http.StripPrefix(p.base, below))
	if p.base != "" {
		host.Elsewhere(p.nowhere)
	}
	return host, ready
}

// atOnce answers a GET of a document in front of trace, log and router, which
// would cost more than the answer. Pollers ask for these all day: a line for each
// would bury the log. Everything else about them is the router's.
func atOnce(ready map[string]http.Handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.RawPath == "" {
			if document, ok := ready[r.URL.Path]; ok {
				document.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
