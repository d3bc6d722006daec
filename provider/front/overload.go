package front

import (
	"net/http"
	"strings"

	"signet/provider/web"
	"signet/storage"
)

// upstreamPaths is the prefix of the paths that call an upstream.
const upstreamPaths = "/login/"

// limitLoad answers requests above the limits of Gates with 503 and Retry-After. The health
// check and static files are not limited. A request counts while its handler works: not
// while its body arrives, and not while the finished answer is sent. So slow clients take
// no place in the limit.
func (f *Front) limitLoad(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == f.Site.Base+"/readyz" || strings.HasPrefix(r.URL.Path, f.Files.Prefix()) {
			next.ServeHTTP(w, r)
			return
		}
		answer := web.BufferResponse(w)
		if !f.receiveBody(w, r) || !f.serveWithin(r.URL.Path, func() { next.ServeHTTP(answer, r) }) {
			f.refuseOverload(w, r)
			return
		}
		answer.Send()
	})
}

func (f *Front) receiveBody(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	network := storage.Network(web.ClientAddress(r, f.Proxies))
	return f.Gates.arriving.Pass(network, func() { web.BufferBody(w, r) })
}

func (f *Front) serveWithin(path string, work func()) (entered bool) {
	if !strings.HasPrefix(path, f.Site.Base+upstreamPaths) {
		return f.Gates.inFlight.Pass(work)
	}
	return f.Gates.upstream.Pass(func() { entered = f.Gates.inFlight.Pass(work) }) && entered
}

var errOverload = because("too_many_requests", "too many requests at once")

func (f *Front) refuseOverload(w http.ResponseWriter, r *http.Request) {
	if web.WantsPage(r) {
		f.Site.Fail(w, r, errOverload)
		return
	}
	f.surfaceOf(r).Fail(w, r, errOverload)
}
