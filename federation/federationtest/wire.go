package federationtest

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"sync"
)

// WireFault is a fault of the connection or of a server between us and an upstream.
type WireFault int

// The faults of a connection.
const (
	HTML        WireFault = iota + 1 // a page with status 200, as of a captive portal
	Garbage                          // not HTTP
	Empty                            // status 200 and an empty body
	ServerError                      // a page with status 503
	TooMany                          // status 429
	Slow                             // no answer
	Drip                             // a header, and a body that never ends
	Huge                             // 4 MB of JSON
	Reset                            // the connection ends within the body
	Elsewhere                        // a redirect to another host
	Loop                             // a redirect to the same URL
	GzipBomb                         // 2 KB that decompress to 2 MB
	Doubled                          // two JSON objects
)

// withWireFault returns a handler that serves normally unless Faults.Wire has a fault for the
// endpoint.
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

// wait waits until the client disconnects or the server closes. Then it panics instead of
// returning: net/http would send the end of the answer of a handler that returns.
func (l *Lying) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-l.closed:
	}
	panic(http.ErrAbortHandler)
}

// writeRaw writes bytes to the connection and closes it.
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

// gzipBomb returns 2 KB that decompress to 2 MB. StartLying makes it once, because compressing
// takes longer than a client waits.
var gzipBomb = sync.OnceValue(func() []byte {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	z.Write([]byte(`{"padding":"`))
	z.Write(bytes.Repeat([]byte("a"), 2<<20))
	z.Write([]byte(`"}`))
	z.Close()
	return small.Bytes()
})
