package firstparty

import (
	"errors"
	"net/http"
	"slices"

	"signet/provider/web"
	"signet/storage"
)

// call returns the handler of one endpoint. It answers the preflight, and serves the method
// if a page of the app has made the call. Only pages of the app's origins may read the
// answer and send cookies with the call.
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

// allowOrigin sets the CORS headers that let a page of the app read the answer. It reports
// whether the call has an origin of the app.
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

var errCrossOrigin = web.Because("cross_origin", errors.New("neither Origin nor Sec-Fetch-Site shows that a page of the first-party app made the call"))

// isFromApp reports whether a page of the app has made the call, according to
// Sec-Fetch-Site or Origin. A call without both headers is refused: cookies authenticate
// the calls, and a browser may also send them with calls of other sites.
func (h *Handler) isFromApp(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && slices.Contains(h.Requests.Origins, origins[0])
}

// fail answers a call with an error. It removes cookies in one case only: after a replay it
// removes the tokens of the session, which has ended. In other cases a late answer might
// remove the cookies of a new sign-in. The session's own cookie stays after a replay. It
// signs nobody in any more, but the sign-in page uses it to say why the session ended.
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

// interactionRequired means that the person must do something on the pages first.
type interactionRequired struct{ continueAt string }

// Error returns the text for the log. Only the answer to the app has the address of the page.
func (e *interactionRequired) Error() string { return "interaction required" }

// Cause returns the code for the log and for the table of answers.
func (e *interactionRequired) Cause() string { return "interaction_required" }
