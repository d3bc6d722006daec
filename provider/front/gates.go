package front

import "signet/provider/web"

// What a node takes on at once. 512 token requests are a tenth of a second of work
// for two cores: when there are more, something that they wait for is slow, and
// letting in yet more would make nothing faster.
const (
	mostInFlight  = 512  // requests that are worked on
	mostUpstream  = 128  // of those, at most, that wait for an upstream
	mostArriving  = 4096 // requests whose body is still coming: 64 KiB each at most
	mostOfNetwork = 512  // of those, from one network of clients
)

// Gates bound what a node takes on. A trip to an upstream has one of its own before
// the common one, so that an upstream that hangs stops only those who go there. They
// outlive a reload of the settings: what came before it still counts.
type Gates struct {
	arriving           *web.NetworkGate
	upstream, inFlight *web.Gate
}

// NewGates makes the gates of a node.
func NewGates() *Gates {
	return &Gates{web.NewNetworkGate(mostArriving, mostOfNetwork), web.NewGate(mostUpstream), web.NewGate(mostInFlight)}
}

// Refused is how many requests were turned away since the last call.
func (g *Gates) Refused() int64 {
	return g.arriving.TakeRefused() + g.upstream.TakeRefused() + g.inFlight.TakeRefused()
}
