package firstparty

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/web"
	"signet/storage"
)

// call serves a call of the app: its preflight, and its one method from the app's own
// origins. Those alone may read the answer and send cookies along.
func (h *Handler) call(method string, serve web.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := h.allowOrigin(w.Header(), r)
		switch {
		case r.Method == http.MethodOptions && known:
			web.PreflightWithCookies(w, r, method)
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		case method == http.MethodPost && !h.isFromApp(r):
			h.fail(w, r, errCrossOrigin)
		default:
			if err := serve(w, r); err != nil {
				h.fail(w, r, err)
			}
		}
	})
}

// allowOrigin makes the answer readable for a page of the app.
func (h *Handler) allowOrigin(headers http.Header, r *http.Request) bool {
	headers.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(h.Requests.Origins, origin) {
		return false
	}
	headers.Set("Access-Control-Allow-Origin", origin)
	headers.Set("Access-Control-Allow-Credentials", "true")
	headers.Set("Access-Control-Expose-Headers", "Retry-After, Date") // expires_at is by our clock
	return true
}

var errCrossOrigin = web.Because("cross_origin", errors.New("neither Origin nor Sec-Fetch-Site says that the call is from the first-party app"))

// isFromApp reports whether a page of the app has made the call. Browsers say so in
// Sec-Fetch-Site or in Origin; a call with neither is refused, since it is cookies that
// the call is answered for.
func (h *Handler) isFromApp(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && slices.Contains(h.Requests.Origins, origins[0])
}

// fail answers a call with an error. It removes no cookie but the tokens of a session
// that a replay has ended: an answer that comes late must not take what a new sign-in
// has set. By the session's own cookie, which is good for nothing else any more, the
// sign-in page knows what to say.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer := web.AnswerTo(web.App, err)
	if e, ok := errors.AsType[*interactionRequired](err); ok {
		answer.Continue = e.continueAt
	}
	if errors.Is(err, storage.ErrReplayed) {
		h.Sessions.Cookies.ClearTokens(w)
	}
	web.App.FailWith(w, r, answer, err)
}

// interactionRequired: the pages have something to ask.
type interactionRequired struct{ continueAt string }

// Error names the case for the log. The address to continue at is for the application alone.
func (e *interactionRequired) Error() string { return "interaction required" }

// Cause is the code for the log and the table of answers.
func (e *interactionRequired) Cause() string { return "interaction_required" }
