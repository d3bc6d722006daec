package front

import (
	"net/http"
	"slices"

	"signet/provider/web"
)

// middleware wraps the handler of the routes.
type middleware func(next http.Handler) http.Handler

// Handler returns the router of the list, wrapped in the middlewares, outermost first.
func (f *Front) Handler(list []web.Route) http.Handler {
	handler, ready := f.router(list)
	for _, around := range slices.Backward([]middleware{
		func(next http.Handler) http.Handler { return web.Headers(f.Site.Issuer.Scheme == "https", next) },
		func(next http.Handler) http.Handler { return serveDocuments(ready, next) },
		f.limitLoad,
		func(next http.Handler) http.Handler {
			return web.Traced(f.Log, f.Proxies, f.Now, http.HandlerFunc(f.answerPanic), next)
		},
		f.Jobs.RecordRefusals,
		f.allowPages,
		f.requirePlainPaths,
	}) {
		handler = around(handler)
	}
	return handler
}
