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

// failure is why a client was not told; the zero failure: it was.
type failure struct {
	code  string // stable
	retry bool   // another try may go better
}

// post sends the token (OIDC Back-Channel Logout, section 2.5) and reads the answer's
// status alone (section 2.8). 400 is the client's word that it cannot take this
// logout, and final: an application that does not know the session any more, or
// never trusted us, says it too, and asking again would change neither.
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

// callErrorCode is the code of a call that got no answer.
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
