package web

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Gate lets only so many in at once. Behind it each would take longer and all of
// them more memory; the surplus is better turned away while that costs nothing.
type Gate struct {
	limit   int64
	inside  atomic.Int64
	refused atomic.Int64
}

// NewGate makes a gate for at most so many.
func NewGate(most int) *Gate { return &Gate{limit: int64(most)} }

// Pass runs work inside the gate, or reports that there is no room.
func (g *Gate) Pass(work func()) bool {
	defer g.inside.Add(-1)
	if g.inside.Add(1) > g.limit {
		g.refused.Add(1)
		return false
	}
	work()
	return true
}

// TakeRefused gives how many were turned away since it was last asked.
func (g *Gate) TakeRefused() int64 { return g.refused.Swap(0) }

// NetworkGate is a Gate of which each network of clients takes only a part.
type NetworkGate struct {
	*Gate
	most   int
	mu     sync.Mutex
	inside map[string]int
}

// NewNetworkGate makes a gate for at most so many, of one network at most share.
func NewNetworkGate(most, share int) *NetworkGate {
	return &NetworkGate{Gate: NewGate(most), most: share, inside: map[string]int{}}
}

// Pass runs work inside the gate, or reports that there is no room for that network.
func (s *NetworkGate) Pass(network string, work func()) bool {
	if !s.take(network) {
		s.refused.Add(1)
		return false
	}
	defer s.leave(network)
	return s.Gate.Pass(work)
}

func (s *NetworkGate) take(network string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside[network] >= s.most {
		return false
	}
	s.inside[network]++
	return true
}

func (s *NetworkGate) leave(network string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside[network]--; s.inside[network] == 0 {
		delete(s.inside, network)
	}
}

// BufferBody takes in the body as far as any handler would read it: 64 KiB. What
// ends it early, the limit or a peer that hangs up, meets whoever reads it next. The
// length of a body in chunks is known then: nothing in chunks is no body.
func BufferBody(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(&bufferedBody{*bytes.NewReader(content), err})
	if r.ContentLength < 0 && err == nil {
		r.ContentLength = int64(len(content))
	}
}

// bufferedBody gives what was read, then the error that ended it.
type bufferedBody struct {
	bytes.Reader
	err error
}

// Read gives the remembered error in place of io.EOF, if there was one.
func (b *bufferedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}
