package front

import (
	"net/http"

	"signet/provider/web"
)

// router serves the list, and gives the documents by their whole paths.
func (f *Front) router(list []web.Route) (_ http.Handler, ready map[string]http.Handler) {
	below, host := web.NewRouter(f.wrongMethodPage, methodNotAllowed), web.NewRouter(f.wrongMethodPage, methodNotAllowed)
	ready = map[string]http.Handler{}
	for _, route := range list {
		if route.Policy == web.Ready {
			if !route.AtHost {
				route.Path, route.AtHost = f.Site.Base+route.Path, true
			}
			ready[route.Path] = route.Handler
		}
		if route.AtHost {
			host.Add(route)
		} else {
			below.Add(route)
		}
	}
	below.Elsewhere(f.nowhere)
	host.Below(f.Files.Prefix(), f.Files)
	host.Below(f.Site.Base+"/", http.StripPrefix(f.Site.Base, below))
	if f.Site.Base != "" {
		host.Elsewhere(f.nowhere)
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
