package web

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Gate limits how many requests are served at once. More at once would make each of them
// slower and need more memory. It is better to refuse a request early, when that is cheap.
type Gate struct {
	limit   int64
	inside  atomic.Int64
	refused atomic.Int64
}

// NewGate makes a gate for at most so many requests at once.
func NewGate(most int) *Gate { return &Gate{limit: int64(most)} }

// Pass runs work and returns true. At the limit it returns false and does not run work.
func (g *Gate) Pass(work func()) bool {
	defer g.inside.Add(-1)
	if g.inside.Add(1) > g.limit {
		g.refused.Add(1)
		return false
	}
	work()
	return true
}

// TakeRefused returns the number of refused requests since the last call.
func (g *Gate) TakeRefused() int64 { return g.refused.Swap(0) }

// NetworkGate is a Gate with a second limit for each network of clients.
type NetworkGate struct {
	*Gate
	most   int
	mu     sync.Mutex
	inside map[string]int
}

// NewNetworkGate makes a gate for at most so many requests at once, and at most share of
// them from one network.
func NewNetworkGate(most, share int) *NetworkGate {
	return &NetworkGate{Gate: NewGate(most), most: share, inside: map[string]int{}}
}

// Pass runs work and returns true. At one of the two limits it returns false and does not
// run work.
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

// BufferBody reads the body, up to the 64 KiB that handlers accept. If the limit or a
// broken connection ends the body early, the next reader gets that error. For a chunked
// body it sets r.ContentLength, so that an empty chunked body counts as no body.
func BufferBody(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(&bufferedBody{*bytes.NewReader(content), err})
	if r.ContentLength < 0 && err == nil {
		r.ContentLength = int64(len(content))
	}
}

// bufferedBody returns the bytes that were read, then the error that ended the body.
type bufferedBody struct {
	bytes.Reader
	err error
}

// Read returns the stored error instead of io.EOF, if there is one.
func (b *bufferedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}
