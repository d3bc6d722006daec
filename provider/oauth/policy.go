package oauth

import (
	"net/http"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// requireForm reads the body as a form before it calls next. It refuses a repeated
// parameter, except resource and audience, and more than one Authorization header.
func requireForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
		if len(r.Header.Values("Authorization")) > 1 {
			web.OAuth.Fail(w, r, because("two_authorization_headers", "the request has more than one Authorization header: send one"))
			return
		}
		if _, err := web.PostForm(w, r, "resource", "audience"); err != nil {
			web.OAuth.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withCORS allows cross-origin calls without credentials. A preflight does not name the
// client, so the origins of all clients pass it. The answer to the request itself is
// readable only for the origins of its client, see allowOrigin. methods are the methods of
// the endpoint, separated by commas.
func (h *Handler) withCORS(methods string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		switch {
		case r.Method != http.MethodOptions:
			next.ServeHTTP(w, r)
		case h.Clients.KnowsOrigin(origin):
			web.Preflight(w, r, origin, methods)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// allowOrigin lets a script of this client read the answer. It does nothing for an origin
// that is not registered for the client.
func allowOrigin(h http.Header, origin string, client storage.Client) {
	if origin != "" && request.AllowsOrigin(client, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	}
}
