package front

import (
	"cmp"
	"net/http"
	"slices"

	"signet/provider/web"
)

// router returns the router of the list, and the documents by their full path.
func (f *Front) router(list []web.Route) (_ http.Handler, ready map[string]document) {
	pageFor := map[string]web.Link{}
	for _, route := range list {
		pageFor[route.Path] = cmp.Or(pageFor[route.Path], route.ForPeople)
	}
	refuse := f.methodNotAllowed(pageFor)
	below, host := web.NewRouter(f.refuseMethodOnPage, refuse), web.NewRouter(f.refuseMethodOnPage, refuse)
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
	below.NotFound(f.notFound)
	host.Subtree(f.Files.Prefix(), f.files())
	host.Subtree(f.Site.Base+"/", http.StripPrefix(f.Site.Base, below))
	if f.Site.Base != "" {
		host.NotFound(f.notFound)
	}
	return host, ready
}

// document is a response that needs no work per request; shared if pages of every origin
// may read it.
type document struct {
	http.Handler
	shared bool
}

// serveDocuments answers GET and preflight requests for documents before trace, log and
// router, which would cost more than the answer. Clients poll these documents all day, and
// a log line for each request would hide the others. Other methods go to the router.
func serveDocuments(ready map[string]document, next http.Handler) http.Handler {
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
