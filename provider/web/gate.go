package web

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
)

// Gate lets only so many in at once. Behind it each would take longer and all of
// them more memory; the surplus is better turned away while that costs nothing.
type Gate struct {
	most    int64
	inside  atomic.Int64
	refused atomic.Int64
}

// NewGate makes a gate for at most so many.
func NewGate(most int) *Gate { return &Gate{most: int64(most)} }

// Pass runs work inside the gate, or reports that there is no room.
func (g *Gate) Pass(work func()) bool {
	defer g.inside.Add(-1)
	if g.inside.Add(1) > g.most {
		g.refused.Add(1)
		return false
	}
	work()
	return true
}

// Refused gives how many were turned away since it was last asked.
func (g *Gate) Refused() int64 { return g.refused.Swap(0) }

// ReadAhead takes in the body as far as any handler would read it: 64 KiB. What
// ends it early, the limit or a peer that hangs up, meets whoever reads it next.
func ReadAhead(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	r.Body = io.NopCloser(&readBefore{*bytes.NewReader(content), err})
}

// readBefore gives what was read, then the error that ended it.
type readBefore struct {
	bytes.Reader
	err error
}

func (b *readBefore) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}
