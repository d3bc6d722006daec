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
	"signet/templates/words"
)

const (
	postedLife     = time.Minute
	maxPostedQuery = 3072     // bytes of the form as a query
	maxPostedForm  = 64 << 10 // bytes of the posted form
)

// callbackPost serves the form that an upstream (Apple) posts to the callback. A form from
// another site comes without our Lax cookies. So callbackPost seals the form for a minute
// and redirects to the same path with GET.
func (h *Handler) callbackPost(w http.ResponseWriter, r *http.Request) error {
	connector, ok := h.connector(r.PathValue("connector"))
	if !ok || !connector.AnswersByPOST() {
		w.Header().Set("Allow", http.MethodGet)
		return &web.Problem{
			Status: http.StatusMethodNotAllowed, Code: "invalid_request", Title: words.Say("sign-in-problem.callback-title"),
			Text: words.Say("sign-in-problem.callback-method"),
		}
	}
	form, err := postedValues(w, r)
	if err != nil {
		return err
	}
	if len(form.Encode()) > maxPostedQuery {
		form.Del("user") // contains only the name of the user
	}
	encoded := form.Encode()
	if len(encoded) > maxPostedQuery {
		return callbackTooLong()
	}
	sealed, err := h.Ring.Seal("posted", request.Compact([]byte(encoded)), h.Now().Add(postedLife))
	if err != nil {
		return fmt.Errorf("seal callback: %w", err)
	}
	onward := h.Site.Base + "/login/" + connector.ID() + "/callback?" + url.Values{"posted": {sealed}}.Encode()
	if len(onward) > web.MaxAddress {
		return callbackTooLong()
	}
	return web.SeeOther(w, onward)
}

func callbackTooLong() *web.Problem {
	return &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: words.Say("sign-in-problem.callback-title"), Text: words.Say("sign-in-problem.callback-too-long")}
}

// postedValues reads the parameters of the form that the sign-in needs. It ignores other
// parameters of the upstream, even malformed ones.
func postedValues(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if !web.IsForm(r) {
		return nil, &web.Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Title: words.Say("sign-in-problem.callback-title"), Text: words.Say("sign-in-problem.callback-no-form")}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPostedForm))
	if err != nil {
		return nil, &web.Problem{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Title: words.Say("sign-in-problem.callback-title"), Text: words.Say("sign-in-problem.callback-too-long"), Cause: err}
	}
	values, err := federation.CallbackValues(string(body))
	if err != nil {
		return nil, unknownAttempt(web.Because("malformed_request", err))
	}
	return values, nil
}

// callbackValues reads the parameters of a callback that the sign-in needs, from the query or
// from the form that callbackPost has sealed.
func (h *Handler) callbackValues(r *http.Request, connector Connector) (url.Values, error) {
	sealed := r.URL.Query().Get("posted")
	if !connector.AnswersByPOST() || sealed == "" {
		values, err := federation.CallbackValues(r.URL.RawQuery)
		if err != nil {
			return nil, unknownAttempt(web.Because("malformed_request", err))
		}
		return values, nil
	}
	payload, err := h.Ring.Unseal("posted", sealed, h.Now())
	switch {
	case errors.Is(err, keys.ErrExpired):
		return nil, unknownAttempt(web.Because("attempt_expired", err))
	case errors.Is(err, keys.ErrInvalid):
		return nil, unknownAttempt(web.Because("attempt_invalid", err))
	case err != nil:
		return nil, fmt.Errorf("open callback: %w", err)
	}
	plain, err := request.Expand(payload)
	if err != nil {
		return nil, unknownAttempt(web.Because("attempt_invalid", err))
	}
	return url.ParseQuery(string(plain))
}
