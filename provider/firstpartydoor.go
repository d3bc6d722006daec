package provider

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/request"
	"signet/provider/session"
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

// appAnswers is the table from causes to what the app is told; "" for the cause's
// own text.
var appAnswers = []struct {
	cause       error
	status      int
	code        string
	description string
}{
	{session.ErrNone, http.StatusUnauthorized, "login_required", signInAgain},
	{storage.ErrRevoked, http.StatusUnauthorized, "login_required", signInAgain},
	{storage.ErrReplayed, http.StatusUnauthorized, "login_required", signInAgain},
	{errCrossOrigin, http.StatusForbidden, "cross_origin", "call from an origin of first_party.origins, in a browser or with its Origin header"},
	{request.ErrNoFirstParty, http.StatusNotFound, "first_party_not_configured", ""},
	{request.ErrSeveralFirstParty, http.StatusNotFound, "first_party_not_configured", ""},
	{request.ErrNotFirstParty, http.StatusNotFound, "first_party_not_configured", ""},
	{storage.ErrUnavailable, http.StatusServiceUnavailable, "temporarily_unavailable", "the database does not answer: try again"},
}

// isRefusal tells what the caller can change from what went wrong here.
func isRefusal(cause error) bool {
	_, malformed := errors.AsType[*web.FormError](cause)
	_, interaction := errors.AsType[*interactionRequired](cause)
	if malformed || interaction {
		return true
	}
	for _, a := range appAnswers {
		if errors.Is(cause, a.cause) {
			return a.status < http.StatusInternalServerError
		}
	}
	return false
}

const signInAgain = "nobody is signed in: send the browser to the sign-in page"

// failApp answers a call of the app with an error. It removes no cookie but the tokens
// of a session that a replay has ended: an answer that comes late must not take what a
// new sign-in has set. By the session's own cookie, which is good for nothing else any
// more, the sign-in page knows what to say.
func (p *Provider) failApp(w http.ResponseWriter, r *http.Request, cause error) {
	trace := web.TraceOf(r.Context())
	if e, ok := errors.AsType[*session.TooLongError](cause); ok {
		trace.Fail(cause)
		writeError(w, http.StatusInternalServerError, "token_too_large", e.Error())
		return
	}
	if !isRefusal(cause) {
		trace.Fail(cause)
	}
	if trace.Refuse(cause); errors.Is(cause, storage.ErrReplayed) {
		trace.Recorded() // as grant.replayed
	}
	if e, ok := errors.AsType[*web.FormError](cause); ok {
		code := "invalid_request"
		if e.Status == http.StatusUnsupportedMediaType {
			code = "unsupported_media_type"
		}
		writeError(w, e.Status, code, e.Text)
		return
	}
	if e, ok := errors.AsType[*interactionRequired](cause); ok {
		_ = writeJSON(w, http.StatusForbidden, map[string]string{
			"error": "interaction_required", "error_description": "more is needed than this call can ask for: send the browser on", "continue": e.continueAt,
		})
		return
	}
	for _, a := range appAnswers {
		if !errors.Is(cause, a.cause) {
			continue
		}
		if a.cause == storage.ErrReplayed {
			p.sessions.Cookies.ClearTokens(w)
		}
		if a.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		if a.description == "" {
			a.description = a.cause.Error()
		}
		writeError(w, a.status, a.code, a.description)
		return
	}
	writeError(w, http.StatusInternalServerError, "server_error", "internal error "+trace.ID)
}
