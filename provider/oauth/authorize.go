package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// maxAuthorize is the most that the parameters of an authorization request may have, in
// bytes of their encoded form. The size of the sealed request is limited separately, see
// checkSize.
const maxAuthorize = 2560

// maxCode is the length of the longest code in bytes. A client sends it to the token endpoint,
// where a form has at most 64 KiB, and its claims are stored with the grant.
const maxCode = 16 << 10

// authorize serves the authorization endpoint (RFC 6749, section 4.1.1; OIDC Core, section
// 3.1.2.1). A GET is answered at once if no page must be shown. A POST from another site
// comes without the session cookie (SameSite=Lax). Its request is validated and sealed, and
// the browser continues with a GET.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizeParams(w, r)
	if err != nil {
		return err
	}
	if uri := params.Get("request_uri"); request.IsPushed(uri) {
		return h.authorizePushed(w, r, uri, params.Get("client_id"))
	}
	signed := params.Has("request")
	params, refused, err := h.openRequestObject(r.Context(), params)
	if err != nil {
		return err
	}
	// RFC 6749, section 4.1.2.1: no redirect before the client and the redirect URI
	// are proven.
	client, err := h.Requests.Client(r.Context(), params.Get("client_id"), params.Get("redirect_uri"))
	if err != nil {
		return err
	}
	web.TraceOf(r.Context()).NoteClient(client.ID)
	at := h.Now()
	q := request.Request{
		ID: storage.NewTimedID(at), Kind: request.Code, Created: storage.At(at),
		ClientID: client.ID, RedirectURI: params.Get("redirect_uri"), State: params.Get("state"),
	}
	refusal := h.validateOpened(&q, client, params, refused)
	if refusal == nil {
		refusal = requireSigned(client, signed)
	}
	if refusal == nil && (h.RequirePushed || client.Metadata.RequirePushed) {
		refusal = pushedOnly
	}
	if refusal != nil {
		return h.refuse(w, r, q, client, *refusal)
	}
	if err := h.checkSize(q); err != nil {
		return authorizeProblem(err)
	}
	return h.begin(w, r, request.Opened{Request: q, Client: client})
}

// begin answers a valid authorization request.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, opened request.Opened) error {
	if r.Method == http.MethodPost {
		return h.redirectToStep(w, "/authorize/next", opened)
	}
	return h.dispatch(w, r, opened)
}

// authorizeParams reads the parameters of a GET or of a form POST. Any repeated parameter
// except resource leads to an error page (RFC 6749, section 3.1). Otherwise an attacker
// could profit from parsers that choose different values.
func authorizeParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		params, err := web.PostForm(w, r, "resource")
		if err == nil && len(params.Encode()) > maxAuthorize {
			err = errParametersTooLong
		}
		return params, authorizeProblem(err)
	}
	if len(r.URL.RawQuery) > maxAuthorize {
		return nil, authorizeProblem(errParametersTooLong)
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, authorizeProblem(&web.FormError{Status: http.StatusBadRequest, Text: "the query is malformed: percent-encode each parameter"})
	}
	return params, authorizeProblem(web.CheckParameters(params, "resource"))
}

var (
	errParametersTooLong = requestTooLarge("the parameters are longer than %d bytes: shorten state, nonce or claims, or send them to the pushed authorization request endpoint first", maxAuthorize)
	errRequestTooLong    = requestTooLarge("the parameters are too long for URLs and cookies: shorten state, nonce or claims, or send them to the pushed authorization request endpoint first; a state of up to 1,500 characters is accepted")
	errAnswerTooLong     = requestTooLarge("the URL of the response would be too long for proxies: shorten redirect_uri, state or nonce, or use response_mode=form_post; a state of up to 1,500 characters is accepted")
	errCodeTooLong       = requestTooLarge("the code would be longer than %d bytes: shorten nonce or claims", maxCode)
)

func requestTooLarge(format string, args ...any) error {
	return web.Because("request_too_large", &web.FormError{Status: http.StatusBadRequest, Text: fmt.Sprintf(format, args...)})
}

// checkSize returns errRequestTooLong or errAnswerTooLong if a later step would fail
// because of the size of the request. The sealed request travels in URLs and in a cookie,
// and the response is a URL. Every accepted request passes proxies with their default
// limits, see web.MaxHeaderBlock.
func (h *Handler) checkSize(q request.Request) error {
	fits, err := request.Fits(q, h.Visits.Sessions.Cookies.MaxCarriedSize())
	switch {
	case err != nil:
		return err
	case !fits:
		return errRequestTooLong
	}
	return h.checkAnswerSize(q)
}

// checkAnswerSize returns errAnswerTooLong if the response would be too long for a URL, and
// errCodeTooLong if its code would be.
func (h *Handler) checkAnswerSize(q request.Request) error {
	// This upper bound assumes that every character needs an escape. Most requests are
	// below it, and their exact size is not computed.
	inCode := len(q.Nonce) + len(q.Claims)
	for _, list := range [][]string{q.Scopes, q.Resources} {
		for _, value := range list {
			inCode += len(value) + len(`"",`)
		}
	}
	tokens, state := sizeOfTokens(q.Type()), ""
	if h.SessionManagement {
		state = longestSessionState
	}
	if len(q.RedirectURI)+3*(len(q.State)+len(h.Issuer))+len("&session_state=")+len(state)+2*inCode+codeOverhead+tokens <= web.MaxAddress {
		return nil
	}
	code, err := h.longestCode(q)
	switch {
	case err != nil:
		return err
	case code > maxCode:
		return errCodeTooLong
	case q.ResponseMode == modeFormPost:
		return nil
	}
	longest := h.responseParams(q, url.Values{"code": {strings.Repeat("c", code)}}, state)
	if len(responseURI(q, longest))+tokens > web.MaxAddress {
		return errAnswerTooLong
	}
	return nil
}

// authorizeProblem turns a *web.FormError into the page that shows it, and returns other
// errors unchanged.
func authorizeProblem(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*web.FormError](err); ok {
		return &web.Problem{
			Status: e.Status, Code: "invalid_request", Title: words.Say("application-error.sign-in.title"), Cause: err,
			Text: words.Say("application-error.sign-in.text", "Reason", e.Text),
		}
	}
	return err
}

// next serves /authorize/next, to which every step of a sign-in returns.
func (h *Handler) next(w http.ResponseWriter, r *http.Request) error {
	opened, err := h.Requests.Open(r.Context(), r.URL.Query().Get("request"), h.Now())
	if err != nil {
		return err
	}
	if err := h.Visits.CheckSessionCookie(r, opened.Sealed); err != nil {
		return err
	}
	return h.dispatch(w, r, opened)
}
