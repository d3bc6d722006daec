package providertest

import (
	"net/http"
	"testing"

	"signet/provider/web"
)

// withinBudget wraps handler and fails the test if the header block of a response is too
// large for common proxies, see web.MaxHeaderBlock. Every testbed uses it, so every
// response in every test is checked.
func withinBudget(t testing.TB, https bool, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(&budgeted{ResponseWriter: w, check: func(status int) {
			if size := HeaderBlock(status, w.Header(), https); size > web.MaxHeaderBlock {
				t.Errorf("%s %s: the header block has %d bytes, want at most %d: %d %v", r.Method, r.URL.Path, size, web.MaxHeaderBlock, status, w.Header())
			}
		}}, r)
	})
}

// HeaderBlock returns the size in bytes of the status line and the headers of a response,
// with the headers that net/http adds. A response over http is counted as the same response
// over https, where cookies and headers are longer.
func HeaderBlock(status int, header http.Header, https bool) int {
	lines := []string{"HTTP/1.1 000 " + http.StatusText(status), "Date: Mon, 02 Jan 2006 15:04:05 GMT", "Content-Length: 65536", "Connection: close", ""}
	size := 0
	for name, values := range header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
			if name == "Set-Cookie" && !https {
				size += len("__Host-") + len("; Secure")
			}
		}
	}
	if !https {
		lines = append(lines, "Strict-Transport-Security: max-age=31536000")
	}
	for _, line := range lines {
		size += len(line) + len("\r\n")
	}
	return size
}

type budgeted struct {
	http.ResponseWriter
	check func(status int)
	done  bool
}

// WriteHeader counts the headers as they are sent.
func (b *budgeted) WriteHeader(status int) {
	if !b.done {
		b.done = true
		b.check(status)
	}
	b.ResponseWriter.WriteHeader(status)
}

// Write counts the headers of a response without an explicit status.
func (b *budgeted) Write(p []byte) (int, error) {
	if !b.done {
		b.WriteHeader(http.StatusOK)
	}
	return b.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (b *budgeted) Unwrap() http.ResponseWriter { return b.ResponseWriter }
