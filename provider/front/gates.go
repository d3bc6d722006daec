package front

import "signet/provider/web"

// The limits of one node. 512 token requests take two cores a tenth of a second. If more
// requests are in flight, something that they wait for is slow, and accepting more would
// not help.
const (
	maxInFlight   = 512  // requests that handlers work on
	maxUpstream   = 128  // requests of these that may wait for an upstream
	maxArriving   = 4096 // requests with a body that is still arriving, at most 64 KiB each
	maxPerNetwork = 512  // requests of these from one client network
)

// Gates limit how many requests a node works on. Requests that call an upstream pass a gate
// of their own before the common one, so a hanging upstream blocks only sign-ins through
// upstreams. Gates stay the same over a reload of the settings: requests from before the
// reload still count.
type Gates struct {
	arriving           *web.NetworkGate
	upstream, inFlight *web.Gate
}

// NewGates makes the gates of a node.
func NewGates() *Gates {
	return &Gates{web.NewNetworkGate(maxArriving, maxPerNetwork), web.NewGate(maxUpstream), web.NewGate(maxInFlight)}
}

// Refused returns the number of requests refused since the last call.
func (g *Gates) Refused() int64 {
	return g.arriving.TakeRefused() + g.upstream.TakeRefused() + g.inFlight.TakeRefused()
}
