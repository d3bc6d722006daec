package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// pushedResponse is the answer to a pushed authorization request (RFC 9126, section 2.2).
type pushedResponse struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

// maxPushed is the size of the largest stored request in bytes. Everyone can push requests of a
// client that does not authenticate.
const maxPushed = 16 << 10

var errPushedTooLong = requestTooLarge("the stored request would have more than %d bytes: shorten state, nonce, login_hint or claims", maxPushed)

// pushedOnly refuses a request that was not pushed.
var pushedOnly = flow.Refuse("request_not_pushed", "invalid_request", "authorization requests must be pushed first: send the parameters to the pushed authorization request endpoint")

// push serves the pushed authorization request endpoint (RFC 9126, section 2). It checks the
// request as the authorization endpoint does. The request may be a request object (section 3).
func (h *Handler) push(ctx context.Context, r tokenRequest) (any, error) {
	if r.form.Has("request_uri") { // RFC 9126, section 2.1
		return nil, flow.Refuse("request_uri", "invalid_request", "request_uri cannot be pushed: send the parameters of the request")
	}
	trace, params := web.TraceOf(ctx), r.form
	signed := params.Has("request")
	if signed {
		var refusal *flow.Refusal
		if params, refusal = h.readRequestObject(ctx, r.client, params); refusal != nil {
			return nil, refusal
		}
	}
	uri := params.Get("redirect_uri")
	trace.NoteClaimedRedirect(uri)
	if !r.client.AllowsRedirect(uri) {
		return nil, flow.Refuse("redirect_uri_not_registered", "invalid_request", "redirect_uri is missing or not registered for this client")
	}
	at := h.Now()
	q := request.Request{
		ID: storage.NewTimedID(at), Kind: request.Code, Created: storage.At(at),
		ClientID: r.client.ID, RedirectURI: uri, State: params.Get("state"),
	}
	if refusal := h.validate(&q, r.client, params); refusal != nil {
		return nil, refusal
	}
	if refusal := requireSigned(r.client, signed); refusal != nil {
		return nil, refusal
	}
	if err := h.checkPushedSize(q); err != nil {
		return nil, err
	}
	if r.client.Public() {
		if _, err := h.DB.Reserve(ctx, h.Pushes.For("pushnet", trace.Address), at); err != nil {
			if _, over := errors.AsType[*storage.ThrottledError](err); over {
				err = web.Because("too_many_pushed_requests", err)
			}
			return nil, err
		}
	}
	reference, err := h.Requests.Push(ctx, q, at)
	return pushedResponse{reference, int64(request.PushedLife.Seconds())}, err
}

// checkPushedSize returns errPushedTooLong if the row would be too large, and the errors of
// checkAnswerSize.
func (h *Handler) checkPushedSize(q request.Request) error {
	fits, err := request.Fits(q, maxPushed)
	switch {
	case err != nil:
		return err
	case !fits:
		return errPushedTooLong
	}
	return h.checkAnswerSize(q)
}

// authorizePushed answers an authorization request that names a pushed one. All parameters but
// client_id and request_uri are ignored (RFC 9126, section 4; RFC 9101, section 5).
func (h *Handler) authorizePushed(w http.ResponseWriter, r *http.Request, uri, clientID string) error {
	opened, err := h.Requests.OpenPushed(r.Context(), uri, clientID, h.Now())
	if err != nil {
		return err
	}
	return h.begin(w, r, opened)
}

// usePushed marks a pushed request as used before its code is sent, so that one pushed request
// leads to one code (RFC 9126, section 7.3). It does nothing for other requests.
func (h *Handler) usePushed(r *http.Request, q request.Request, client storage.Client, at time.Time) error {
	if q.Pushed == "" {
		return nil
	}
	first, err := h.DB.UsePushedRequest(r.Context(), q.Pushed, at)
	if err == nil && !first {
		return h.Requests.PushedProblem(client, request.ErrPushedUsed)
	}
	return err
}
