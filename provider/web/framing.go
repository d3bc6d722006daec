package web

import "net/http"

// CloseAmbiguous ends the connection after every request whose length two readers can read in
// two ways, so that nothing behind it is taken for a request (RFC 9112, section 6.1).
//
// Those are chunked requests, since net/http removes the Content-Length that may have
// stood beside Transfer-Encoding, and requests of HTTP/1.0, since it removes their
// Transfer-Encoding. Browsers and clients send neither, so the rule asks no more than
// what can be seen here. Requests of HTTP/2 are framed by the protocol.
func CloseAmbiguous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 && (len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
