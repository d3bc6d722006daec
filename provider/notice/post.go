package notice

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"signet/provider/outbound"
)

// failure says why a notice was not delivered; the zero failure means that it was.
type failure struct {
	code  string // stable
	retry bool   // a later try may succeed
}

// post sends the token (OIDC Back-Channel Logout, section 2.5) and reads only the status of
// the answer (section 2.8). 400 is final: the client does not know the session any more, or
// does not trust us, so another try would fail, too.
func post(ctx context.Context, client *http.Client, uri, token string) failure {
	body := url.Values{"logout_token": {token}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		return failure{code: "malformed_uri"}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(r)
	if err != nil {
		return failure{code: callErrorCode(err), retry: true}
	}
	answer.Body.Close()
	switch status := answer.StatusCode; {
	case status == http.StatusOK, status == http.StatusNoContent:
		return failure{}
	case status == http.StatusBadRequest:
		return failure{code: "refused"}
	case status >= 300 && status < 400:
		return failure{code: "redirected", retry: true}
	default:
		return failure{code: fmt.Sprintf("status_%d", status), retry: true}
	}
}

// callErrorCode returns the stable code for a call without an answer.
func callErrorCode(err error) string {
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, outbound.ErrTooLarge):
		return "answer_too_large"
	case errors.Is(err, outbound.ErrScheme), errors.Is(err, outbound.ErrNotPublic):
		return "address_refused"
	}
	return "unreachable"
}
