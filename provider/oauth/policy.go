package oauth

import (
	"net/http"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// form reads the body strictly.
func requireForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
		if len(r.Header.Values("Authorization")) > 1 {
			web.OAuth.Fail(w, r, because("two_authorization_headers", "more than one Authorization header"))
			return
		}
		if _, err := web.PostForm(w, r, "resource", "audience"); err != nil {
			web.OAuth.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin answers cross-origin calls without credentials. A preflight does not
// say which client asks, so it knows the origins of all; the answer itself is
// readable for the origins of this request's client alone (see allowOrigin). methods are
// those of the endpoint, separated by commas.
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

// allowOrigin makes the answer readable for a script of this client.
func allowOrigin(h http.Header, origin string, client storage.Client) {
	if origin != "" && request.AllowsOrigin(client, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	}
}
