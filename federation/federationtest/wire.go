package federationtest

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"sync"
)

// WireFault is a fault of the line or of what stands between us and an upstream.
type WireFault int

// The faults of the line.
const (
	HTML        WireFault = iota + 1 // a page with status 200, as of a captive portal
	Garbage                          // nothing that HTTP knows
	Empty                            // status 200 and nothing
	ServerError                      // a page with status 503
	TooMany                          // status 429
	Slow                             // the first byte never comes
	Drip                             // the header comes, the body never ends
	Huge                             // JSON without end
	Reset                            // the connection breaks in the middle
	Elsewhere                        // a redirect to another host
	Loop                             // a redirect to itself
	GzipBomb                         // small, and huge when it is unpacked
	Doubled                          // two JSON objects
)

// withWireFault is a handler that behaves until a fault of the line is told for it.
func (l *Lying) withWireFault(endpoint string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, _ := l.current()
		if fault := f.Wire[endpoint]; fault != 0 {
			l.serveFault(fault, w, r)
			return
		}
		serve(w, r)
	}
}

func (l *Lying) serveFault(fault WireFault, w http.ResponseWriter, r *http.Request) {
	switch fault {
	case HTML:
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Welcome to the hotel</title>"))
	case Garbage:
		writeRaw(w, "220 mail.example ESMTP\r\n\r\n")
	case Empty:
		w.WriteHeader(http.StatusOK)
	case ServerError:
		http.Error(w, "<h1>Service Unavailable</h1>", http.StatusServiceUnavailable)
	case TooMany:
		http.Error(w, "", http.StatusTooManyRequests)
	case Slow:
		l.wait(r)
	case Drip:
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte("{"))
		http.NewResponseController(w).Flush()
		l.wait(r)
	case Huge:
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"padding":"`))
		w.Write(bytes.Repeat([]byte("a"), 4<<20))
		w.Write([]byte(`"}`))
	case Reset:
		writeRaw(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"a\":")
	case Elsewhere:
		_, port, _ := net.SplitHostPort(r.Host)
		http.Redirect(w, r, "http://localhost:"+port+r.URL.Path, http.StatusTemporaryRedirect)
	case Loop:
		http.Redirect(w, r, l.URL+r.URL.Path, http.StatusTemporaryRedirect)
	case GzipBomb:
		serveGzipBomb(w)
	case Doubled:
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"access_token":"a"} {"access_token":"b"}`))
	}
}

// wait holds the answer back until the other side or the server is gone. It is never
// finished: a handler that returned might still get its end across.
func (l *Lying) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-l.closed:
	}
	panic(http.ErrAbortHandler)
}

// writeRaw writes bytes to the line and cuts it.
func writeRaw(w http.ResponseWriter, text string) {
	line, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer line.Close()
	buffer.WriteString(text)
	buffer.Flush()
}

func serveGzipBomb(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	w.Write(gzipBomb())
}

// gzipBomb is 2 MB in 2 KB. It is made once and before anyone asks: packing takes
// longer than a client waits.
var gzipBomb = sync.OnceValue(func() []byte {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	z.Write([]byte(`{"padding":"`))
	z.Write(bytes.Repeat([]byte("a"), 2<<20))
	z.Write([]byte(`"}`))
	z.Close()
	return small.Bytes()
})
