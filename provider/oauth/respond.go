package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// respond sends the browser back to the client with the parameters of the response. It
// checks the length of the URL, because errors may be sent before checkSize has run.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, q request.Request, params url.Values) error {
	params = h.responseParams(q, params, h.sessionState(r, q))
	if q.ResponseMode == modeFormPost {
		return h.Site.PostTo(w, q.RedirectURI, params)
	}
	location := responseURI(q, params)
	if len(location) > web.MaxAddress {
		return authorizeProblem(errAnswerTooLong)
	}
	return web.SeeOther(w, location)
}

// responseParams adds state, iss (RFC 9207, section 2) and session_state, if it is not "", to the
// parameters of a response.
func (h *Handler) responseParams(q request.Request, params url.Values, sessionState string) url.Values {
	if q.State != "" {
		params.Set("state", q.State)
	}
	if sessionState != "" {
		params.Set("session_state", sessionState)
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
//
// The error of a client that registered itself and was not approved is a page too, with a link
// to the client (RFC 9700, section 4.11.2): otherwise everyone could register a client, and let
// addresses of this provider redirect any visitor to any site. If the person denied the access,
// the redirect is an answer to the person's own act.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q request.Request, client storage.Client, refusal flow.Refusal) error {
	trace := web.TraceOf(r.Context())
	trace.Note("code", refusal.Code)
	trace.Refuse(&refusal)
	if refusal.Cause() == flow.UserDenied.Refusal.Cause() {
		trace.MarkRecorded() // the event consent.denied records it
	}
	switch q.Kind {
	case request.Code:
		answer := url.Values{"error": {refusal.Code}, "error_description": {refusal.Description}}
		if client.IsUnapproved() && refusal.Cause() != flow.UserDenied.Refusal.Cause() {
			return h.unverifiedProblem(r, q, refusal, answer)
		}
		return h.respond(w, r, q, answer)
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

// unverifiedProblem is the page with the error of an unapproved client. Its link or its form is
// the response.
func (h *Handler) unverifiedProblem(r *http.Request, q request.Request, refusal flow.Refusal, answer url.Values) error {
	params := h.responseParams(q, answer, h.sessionState(r, q))
	p := &web.Problem{
		Status: http.StatusBadRequest, Code: refusal.Code, Title: words.Say("application-error.unverified.title"),
		Text:     words.Say("application-error.unverified.text", "Host", templates.HostOf(q.RedirectURI), "Reason", refusal.Description),
		StartURL: responseURI(q, params), StartText: words.Say("application-error.unverified.continue"),
	}
	if q.ResponseMode == modeFormPost {
		p.StartURL, p.Fields = q.RedirectURI, params
	}
	return p
}
