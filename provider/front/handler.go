package front

import (
	"net/http"
	"slices"

	"signet/provider/web"
)

// middleware stands between the network and the routes.
type middleware func(next http.Handler) http.Handler

// Handler serves the list: the middlewares, outermost first, around its router.
func (f *Front) Handler(list []web.Route) http.Handler {
	handler, ready := f.router(list)
	for _, around := range slices.Backward([]middleware{
		func(next http.Handler) http.Handler { return web.Headers(f.Site.Issuer.Scheme == "https", next) },
		func(next http.Handler) http.Handler { return atOnce(ready, next) },
		f.bounded,
		func(next http.Handler) http.Handler {
			return web.Traced(f.Log, f.Proxies, f.Now, http.HandlerFunc(f.broken), next)
		},
		f.Jobs.RecordRefusals,
		f.forPeople,
		f.plainPaths,
	}) {
		handler = around(handler)
	}
	return handler
}
