package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// maxAuthorize bounds what the front channel may carry, in bytes of the encoded
// parameters: a request travels on in URLs and cookies of at most 4 KB. maxSealed,
// in characters, bounds what became of it: JSON writes some characters longer, and
// the cookie of an upstream attempt, 4,096 bytes at most, has to hold it and more.
const (
	maxAuthorize = 2560
	maxSealed    = 3200
)

// authorize serves the authorization endpoint (RFC 6749, section 4.1.1; OIDC
// Core, section 3.1.2.1). A GET is answered at once where nothing needs to be
// asked. A POST comes from another site and so without the session's cookie
// (SameSite=Lax): it is validated and sealed, and a GET goes on.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) error {
	params, err := authorizeParams(w, r)
	if err != nil {
		return err
	}
	// RFC 6749, section 4.1.2.1: nothing is redirected before client and
	// redirect URI are proven.
	client, err := h.Requests.Client(r.Context(), params.Get("client_id"), params.Get("redirect_uri"))
	if err != nil {
		return err
	}
	web.TraceOf(r.Context()).Client(client.ID)
	at := h.Now()
	q := request.Request{
		ID: storage.NewTimedID(at), Kind: request.Code, Created: storage.At(at),
		ClientID: client.ID, RedirectURI: params.Get("redirect_uri"), State: params.Get("state"),
	}
	if refusal := h.validate(&q, client, params); refusal != nil {
		return h.refuse(w, r, q, *refusal)
	}
	size, err := request.SealedSize(q)
	if err != nil {
		return err
	}
	if size >= maxSealed {
		return authorizeProblem(tooLong)
	}
	opened := request.Opened{Request: q, Client: client}
	if r.Method == http.MethodPost {
		return h.goTo(w, "/authorize/next", opened)
	}
	return h.dispatch(w, r, opened)
}

// authorizeParams reads the parameters of a GET or a form POST, strictly. A
// repeated parameter is an error page, whichever it is (RFC 6749, section 3.1):
// which of two values counts is what an attacker plays with.
func authorizeParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		params, err := web.PostForm(w, r, "resource")
		if err == nil && len(params.Encode()) > maxAuthorize {
			err = tooLong
		}
		return params, authorizeProblem(err)
	}
	if len(r.URL.RawQuery) > maxAuthorize {
		return nil, authorizeProblem(tooLong)
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, authorizeProblem(&web.FormError{Status: http.StatusBadRequest, Text: "the query is not well formed"})
	}
	return params, authorizeProblem(web.Strict(params, "resource"))
}

var tooLong = &web.FormError{Status: http.StatusBadRequest, Text: fmt.Sprintf("the parameters are over %d bytes, or too many of them need escapes: shorten state, claims or scope", maxAuthorize)}

func authorizeProblem(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*web.FormError](err); ok {
		return &web.Problem{
			Status: e.Status, Code: "invalid_request", Title: "Sign-in cannot start", Cause: err,
			Text: "The application sent a request that cannot be read. Tell its operator: " + e.Text + ".",
		}
	}
	return err
}

// next serves /authorize/next, where every step of a sign-in returns to.
func (h *Handler) next(w http.ResponseWriter, r *http.Request) error {
	opened, err := h.Requests.Open(r.Context(), r.URL.Query().Get("request"), h.Now())
	if err != nil {
		return err
	}
	return h.dispatch(w, r, opened)
}
