package web

import "net/http"

// CloseAmbiguous closes the connection after every request of possibly ambiguous length,
// so that no remainder of it is read as the next request (RFC 9112, section 6.1).
//
// Chunked requests are ambiguous, because net/http removes a Content-Length that stood
// beside Transfer-Encoding. So are HTTP/1.0 requests, because net/http removes their
// Transfer-Encoding. A handler cannot see whether the removed header existed, so the rule
// covers all such requests; browsers and clients do not send them. HTTP/2 has framing of
// its own.
func CloseAmbiguous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 && (len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
