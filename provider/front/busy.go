package front

import (
	"net/http"
	"strings"

	"signet/provider/web"
	"signet/storage"
)

// upstreamTrips begin the paths of trips to an upstream.
const upstreamTrips = "/login/"

// bounded turns away what is too much, at once: 503 with Retry-After. Health is
// always told, and the files lie ready. A request counts from when its body has come
// until its answer is known: whoever sends or reads slowly takes nobody's place.
func (f *Front) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == f.Site.Base+"/readyz" || strings.HasPrefix(r.URL.Path, f.Files.Prefix()) {
			next.ServeHTTP(w, r)
			return
		}
		answer := web.BufferResponse(w)
		if !f.arrive(w, r) || !f.enter(r.URL.Path, func() { next.ServeHTTP(answer, r) }) {
			f.tooBusy(w, r)
			return
		}
		answer.Send()
	})
}

func (f *Front) arrive(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	network := storage.Network(web.ClientAddress(r, f.Proxies))
	return f.Gates.arriving.Pass(network, func() { web.BufferBody(w, r) })
}

func (f *Front) enter(path string, work func()) (entered bool) {
	if !strings.HasPrefix(path, f.Site.Base+upstreamTrips) {
		return f.Gates.inFlight.Pass(work)
	}
	return f.Gates.upstream.Pass(func() { entered = f.Gates.inFlight.Pass(work) }) && entered
}

var errTooMany = because("too_many_requests", "too many requests at once")

func (f *Front) tooBusy(w http.ResponseWriter, r *http.Request) {
	if web.WantsPage(r) {
		f.Site.Fail(w, r, errTooMany)
		return
	}
	web.Path.Fail(w, r, errTooMany)
}
