package provider

import (
	"net/http"
	"strings"

	"signet/provider/web"
	"signet/storage"
)

// What a node takes on at once. 512 token requests are a tenth of a second of work
// for two cores: when there are more, something that they wait for is slow, and
// letting in yet more would make nothing faster.
const (
	mostInFlight  = 512  // requests that are worked on
	mostUpstream  = 128  // of those, at most, that wait for an upstream
	mostArriving  = 4096 // requests whose body is still coming: 64 KiB each at most
	mostOfNetwork = 512  // of those, from one network of clients
	upstreamTrips = "/login/"
)

// gates bound what a node takes on. A trip to an upstream has one of its own before
// the common one, so that an upstream that hangs stops only those who go there.
type gates struct {
	arriving           *web.Shares
	upstream, inFlight *web.Gate
}

func newGates() gates {
	return gates{web.NewShares(mostArriving, mostOfNetwork), web.NewGate(mostUpstream), web.NewGate(mostInFlight)}
}

func (g gates) refused() int64 {
	return g.arriving.Refused() + g.upstream.Refused() + g.inFlight.Refused()
}

// bounded turns away what is too much, at once: 503 with Retry-After. Health is
// always told, and the files lie ready. A request counts from when its body has come
// until its answer is known: whoever sends or reads slowly takes nobody's place.
func (p *Provider) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == p.base+"/readyz" || strings.HasPrefix(r.URL.Path, p.files.Prefix()) {
			next.ServeHTTP(w, r)
			return
		}
		answer := web.Hold(w)
		if !p.arrive(w, r) || !p.enter(r.URL.Path, func() { next.ServeHTTP(answer, r) }) {
			p.tooBusy(w, r)
			return
		}
		answer.Send()
	})
}

func (p *Provider) arrive(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength == 0 {
		return true
	}
	network := storage.Network(web.ClientAddress(r, p.TrustedProxies))
	return p.gates.arriving.Pass(network, func() { web.ReadAhead(w, r) })
}

func (p *Provider) enter(path string, work func()) (entered bool) {
	if !strings.HasPrefix(path, p.base+upstreamTrips) {
		return p.gates.inFlight.Pass(work)
	}
	return p.gates.upstream.Pass(func() { entered = p.gates.inFlight.Pass(work) }) && entered
}

var errTooMany = because("too_many_requests", "too many requests at once")

func (p *Provider) tooBusy(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		p.site.Fail(w, r, errTooMany)
		return
	}
	web.Path.Fail(w, r, errTooMany)
}
