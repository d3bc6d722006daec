package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/web"
	"signet/templates/words"
)

// respond sends the browser back to the client with the parameters of the response. An
// error may have to go back before checkSize has judged the request.
func (h *Handler) respond(w http.ResponseWriter, q request.Request, params url.Values) error {
	location := h.responseURI(q, params)
	if len(location) > web.MaxAddress {
		return authorizeProblem(errAnswerTooLong)
	}
	return web.SeeOther(w, location)
}

// responseURI adds the parameters of a response to the redirect URI, and to them state
// and iss (RFC 9207, section 2). The redirect URI stands as it was registered, its own
// query included.
func (h *Handler) responseURI(q request.Request, params url.Values) string {
	if q.State != "" {
		params.Set("state", q.State)
	}
	params.Set("iss", h.Issuer)
	separator := "?"
	switch {
	case q.ResponseMode == modeFragment:
		separator = "#"
	case strings.Contains(q.RedirectURI, "?"):
		separator = "&"
	}
	return q.RedirectURI + separator + params.Encode()
}

// refuse sends an error back to the client (RFC 6749, section 4.1.2.1). A
// request for a page of ours, or for cookies, has no redirect URI: the person is
// told.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q request.Request, why flow.Refusal) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", why.Code)
	trace.Refuse(&why)
	if why.Cause() == flow.UserDenied.Refusal.Cause() {
		trace.MarkRecorded() // as consent.denied
	}
	if q.Kind != request.Code {
		return &web.Problem{
			Status: http.StatusForbidden, Code: why.Code, Title: words.Say("application-error.not-allowed.title"),
			Text: words.Say("application-error.not-allowed.text"), StartURL: h.Site.Base + q.RestartPath(),
		}
	}
	return h.respond(w, q, url.Values{"error": {why.Code}, "error_description": {why.Description}})
}
