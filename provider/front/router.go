package front

import (
	"cmp"
	"net/http"
	"slices"

	"signet/provider/web"
)

// router serves the list, and gives the documents by their whole paths.
func (f *Front) router(list []web.Route) (_ http.Handler, ready map[string]document) {
	forPeople := map[string]web.Link{}
	for _, route := range list {
		forPeople[route.Path] = cmp.Or(forPeople[route.Path], route.ForPeople)
	}
	refuse := f.methodNotAllowed(forPeople)
	below, host := web.NewRouter(f.wrongMethodPage, refuse), web.NewRouter(f.wrongMethodPage, refuse)
	ready = map[string]document{}
	for _, route := range list {
		if route.Policy == web.DocumentPolicy {
			if !route.AtHostRoot {
				route.Path, route.AtHostRoot = f.Site.Base+route.Path, true
			}
			ready[route.Path] = document{route.Handler, slices.Contains(route.MethodList(), http.MethodOptions)}
		}
		if route.AtHostRoot {
			host.Add(route)
		} else {
			below.Add(route)
		}
	}
	below.NotFound(f.nowhere)
	host.Subtree(f.Files.Prefix(), f.files())
	host.Subtree(f.Site.Base+"/", http.StripPrefix(f.Site.Base, below))
	if f.Site.Base != "" {
		host.NotFound(f.nowhere)
	}
	return host, ready
}

// document is one that lies ready; shared with the pages of all origins or not.
type document struct {
	http.Handler
	shared bool
}

// atOnce answers a GET of a document, and the preflight of one, in front of trace, log
// and router, which would cost more than the answer. Pollers ask for these all day: a
// line for each would bury the log. Everything else about them is the router's.
func atOnce(ready map[string]document, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath == "" && (r.Method == http.MethodGet || r.Method == http.MethodOptions) {
			if d, ok := ready[r.URL.Path]; ok && (d.shared || r.Method == http.MethodGet) {
				d.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
