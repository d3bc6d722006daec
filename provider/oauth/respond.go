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

// respond sends the browser back to the client with the parameters of the response. It
// checks the length of the URL, because errors may be sent before checkSize has run.
func (h *Handler) respond(w http.ResponseWriter, q request.Request, params url.Values) error {
	params = h.responseParams(q, params)
	if q.ResponseMode == modeFormPost {
		return h.Site.PostTo(w, q.RedirectURI, params)
	}
	location := responseURI(q, params)
	if len(location) > web.MaxAddress {
		return authorizeProblem(errAnswerTooLong)
	}
	return web.SeeOther(w, location)
}

// responseParams adds state and iss (RFC 9207, section 2) to the parameters of a response.
func (h *Handler) responseParams(q request.Request, params url.Values) url.Values {
	if q.State != "" {
		params.Set("state", q.State)
	}
	params.Set("iss", h.Issuer)
	return params
}

// responseURI adds params to the redirect URI. It does not change the registered redirect
// URI, nor the query in it.
func responseURI(q request.Request, params url.Values) string {
	separator := "?"
	switch {
	case q.ResponseMode == modeFragment:
		separator = "#"
	case strings.Contains(q.RedirectURI, "?"):
		separator = "&"
	}
	return q.RedirectURI + separator + params.Encode()
}

// refuse sends an error back to the client (RFC 6749, section 4.1.2.1). A request for a page
// of this provider, or for cookies, has no redirect URI. It gets an error page.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q request.Request, refusal flow.Refusal) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.Refuse(&refusal)
	if refusal.Cause() == flow.UserDenied.Refusal.Cause() {
		trace.MarkRecorded() // the event consent.denied records it
	}
	switch q.Kind {
	case request.Code:
		return h.respond(w, q, url.Values{"error": {refusal.Code}, "error_description": {refusal.Description}})
	case request.Device:
		return &web.Problem{
			Status: http.StatusForbidden, Code: refusal.Code, Title: words.Say("device-problem.not-allowed-title"),
			Text: words.Say("device-problem.not-allowed"), StartURL: h.Site.Base + request.DeviceEntryPage, StartText: words.Say("device-problem.another"),
		}
	default:
		return &web.Problem{
			Status: http.StatusForbidden, Code: refusal.Code, Title: words.Say("application-error.not-allowed.title"),
			Text: words.Say("application-error.not-allowed.text"), StartURL: h.Site.Base + q.RestartPath(),
		}
	}
}
