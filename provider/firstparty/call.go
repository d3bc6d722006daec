package provider

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/web"
	"signet/storage"
)

// app serves a call of the first-party app: its preflight, and its one method from
// its own origins. Those alone may read the answer and send cookies along.
func (p *Provider) app(method string, h web.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := p.allowApp(w.Header(), r)
		switch {
		case r.Method == http.MethodOptions:
			if known {
				w.Header().Set("Access-Control-Allow-Methods", method)
				w.Header().Set("Access-Control-Allow-Headers", "Content-Type, X-CSRF")
				w.Header().Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
		case method == http.MethodPost && !p.fromApp(r):
			p.failApp(w, r, errCrossOrigin)
		default:
			if err := h(w, r); err != nil {
				p.failApp(w, r, err)
			}
		}
	})
}

// allowApp makes the answer readable for a page of the app.
func (p *Provider) allowApp(h http.Header, r *http.Request) bool {
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(p.carrier.Origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After, Date") // expires_at is by our clock
	return true
}

var errCrossOrigin = because("cross_origin", "neither Origin nor Sec-Fetch-Site says that the call is from the first-party app")

// fromApp reports whether a page of the app has made the call. Browsers say so in
// Sec-Fetch-Site or in Origin; who says neither is refused, since it is cookies that
// the call is answered for.
func (p *Provider) fromApp(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && slices.Contains(p.carrier.Origins, origins[0])
}

// failApp answers a call of the app with an error. It removes no cookie but the tokens
// of a session that a replay has ended: an answer that comes late must not take what a
// new sign-in has set. By the session's own cookie, which is good for nothing else any
// more, the sign-in page knows what to say.
func (p *Provider) failApp(w http.ResponseWriter, r *http.Request, cause error) {
	answer := web.AnswerTo(web.App, cause)
	if e, ok := errors.AsType[*interactionRequired](cause); ok {
		answer.Continue = e.continueAt
	}
	if errors.Is(cause, storage.ErrReplayed) {
		p.sessions.Cookies.ClearTokens(w)
	}
	web.App.Tell(w, r, answer, cause)
}
