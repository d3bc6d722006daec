package web

import (
	"bytes"
	"net/http"
)

// BufferedResponse stores an answer until Send, so that a client that reads slowly does
// not occupy a place in a Gate. Pages and tokens are small enough to buffer. If the
// handler panics, the answer is not sent.
type BufferedResponse struct {
	to     http.ResponseWriter
	status int
	body   bytes.Buffer
}

// BufferResponse makes the writer that stores the answer to w.
func BufferResponse(w http.ResponseWriter) *BufferedResponse { return &BufferedResponse{to: w} }

// Header returns the header map of w itself.
func (h *BufferedResponse) Header() http.Header { return h.to.Header() }

// WriteHeader stores the status. Later calls have no effect.
func (h *BufferedResponse) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write stores b and sends nothing.
func (h *BufferedResponse) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// Send sends the stored answer.
func (h *BufferedResponse) Send() {
	if h.status != 0 {
		h.to.WriteHeader(h.status)
	}
	_, _ = h.to.Write(h.body.Bytes()) // if the peer has closed the connection, there is nothing to do
}
