package interaction

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"signet/federation"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/web"
)

const (
	postedLife = time.Minute
	postedMost = 3072     // bytes of a form that goes on in a URL
	postedRead = 64 << 10 // bytes of a form that are read
)

// callbackPost takes the form that an upstream (Apple) has the browser post
// across sites, which comes without our Lax cookies: sealed for a minute, it goes
// on as a GET to the same path.
func (h *Handler) callbackPost(w http.ResponseWriter, r *http.Request) error {
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok || !connector.AnswersByPOST() {
		w.Header().Set("Allow", http.MethodGet)
		return &web.Problem{
			Status: http.StatusMethodNotAllowed, Code: "invalid_request", Title: "This sign-in cannot go on",
			Text: "The answer came in a way that this connector does not use.",
		}
	}
	form, err := postedValues(w, r)
	if err != nil {
		return err
	}
	if len(form.Encode()) > postedMost {
		form.Del("user") // good for a name alone
	}
	encoded := form.Encode()
	if len(encoded) > postedMost {
		return longCallback()
	}
	sealed, err := h.Ring.Seal("posted", request.Compact([]byte(encoded)), h.Now().Add(postedLife))
	if err != nil {
		return fmt.Errorf("seal callback: %w", err)
	}
	onward := h.Site.Base + "/login/" + connector.ID() + "/callback?" + url.Values{"posted": {sealed}}.Encode()
	if len(onward) > web.MaxAddress {
		return longCallback()
	}
	return web.SeeOther(w, onward)
}

func longCallback() *web.Problem {
	return &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: "This sign-in cannot go on", Text: "The upstream's answer is too long."}
}

// postedValues are the parameters of the form that a sign-in goes by. The upstream may put
// others beside them, in any shape.
func postedValues(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if !web.IsForm(r) {
		return nil, &web.Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Title: "This sign-in cannot go on", Text: "The upstream's answer is not a form."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, postedRead))
	if err != nil {
		return nil, &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: "This sign-in cannot go on", Text: "The upstream's answer is too long.", Cause: err}
	}
	values, err := federation.CallbackValues(string(body))
	if err != nil {
		return nil, lostAttempt(web.Because("malformed_request", err))
	}
	return values, nil
}

// callbackValues are the parameters of a callback that a sign-in goes by, of the query or
// of the form that callbackPost has sealed.
func (h *Handler) callbackValues(r *http.Request, connector Connector) (url.Values, error) {
	sealed := r.URL.Query().Get("posted")
	if !connector.AnswersByPOST() || sealed == "" {
		values, err := federation.CallbackValues(r.URL.RawQuery)
		if err != nil {
			return nil, lostAttempt(web.Because("malformed_request", err))
		}
		return values, nil
	}
	payload, err := h.Ring.Unseal("posted", sealed, h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return nil, lostAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return nil, lostAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return nil, fmt.Errorf("open callback: %w", err)
	}
	plain, err := request.Expand(payload)
	if err != nil {
		return nil, lostAttempt(web.Because("attempt_invalid", err))
	}
	return url.ParseQuery(string(plain))
}
