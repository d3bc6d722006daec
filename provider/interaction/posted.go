package interaction

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"signet/provider/keys"
	"signet/provider/web"
)

const (
	postedLife = time.Minute
	postedMost = 3072 // bytes of a form that goes on in a URL
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
	form, err := web.Form(w, r)
	if err != nil {
		return err
	}
	encoded := form.Encode()
	if len(encoded) > postedMost {
		return &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: "This sign-in cannot go on", Text: "The upstream's answer is too long."}
	}
	sealed, err := h.Ring.Seal("posted", []byte(encoded), h.Now().Add(postedLife))
	if err != nil {
		return fmt.Errorf("seal callback: %w", err)
	}
	return web.SeeOther(w, h.Site.Base+"/login/"+connector.ID()+"/callback?"+url.Values{"posted": {sealed}}.Encode())
}

// callbackValues are the parameters of a callback, of the query or of the form
// that callbackPost has sealed.
func (h *Handler) callbackValues(r *http.Request, connector Connector) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = web.Strict(values)
	}
	if err != nil {
		return nil, lostAttempt(web.Because("malformed_request", err))
	}
	if !connector.AnswersByPOST() || !values.Has("posted") {
		return values, nil
	}
	payload, err := h.Ring.Unseal("posted", values.Get("posted"), h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return nil, lostAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return nil, lostAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return nil, fmt.Errorf("open callback: %w", err)
	}
	return url.ParseQuery(string(payload))
}
