package web

import (
	"bytes"
	"net/http"
)

// BufferedResponse keeps an answer until Send, so that whoever reads slowly takes nobody's place
// behind a Gate. Pages and tokens are small. When the handler panics it is not sent.
type BufferedResponse struct {
	to     http.ResponseWriter
	status int
	body   bytes.Buffer
}

// BufferResponse makes the writer that keeps the answer to w.
func BufferResponse(w http.ResponseWriter) *BufferedResponse { return &BufferedResponse{to: w} }

// Header is what goes with the answer: the very one of w.
func (h *BufferedResponse) Header() http.Header { return h.to.Header() }

// WriteHeader keeps the first status.
func (h *BufferedResponse) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write keeps b; nothing is sent yet.
func (h *BufferedResponse) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// Send answers with what was kept.
func (h *BufferedResponse) Send() {
	if h.status != 0 {
		h.to.WriteHeader(h.status)
	}
	_, _ = h.to.Write(h.body.Bytes()) // a peer that left is no error of ours
}
