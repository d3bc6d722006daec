package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// refresh exchanges the refresh token for new tokens (OIDC Core, section 12) and
// shows that the one before is gone. A refusal ends what the demo has: the
// sign-in behind it is over.
func (d *relyingParty) refresh(w http.ResponseWriter, r *http.Request) {
	before := d.results.of(r)
	if before.refreshToken == "" {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
	after, err := d.refreshed(r.Context(), before)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_grant":
		d.results.forget(r)
		clearCookie(w, resultCookie)
		d.fail(w, http.StatusBadRequest, err)
	case err != nil:
		d.fail(w, http.StatusBadGateway, err)
	default:
		d.results.replace(r, after)
		http.Redirect(w, r, Path, http.StatusSeeOther)
	}
}

func (d *relyingParty) refreshed(ctx context.Context, before result) (result, error) {
	issuer, client, err := d.discover(ctx)
	if err != nil {
		return result{}, err
	}
	old := &oauth2.Token{RefreshToken: before.refreshToken} // without an access token it counts as expired
	token, err := client.TokenSource(oidc.ClientContext(ctx, d.http), old).Token()
	if err != nil {
		return result{}, fmt.Errorf("refresh the tokens: %w", err)
	}
	after, err := d.verified(ctx, issuer, token)
	if err != nil {
		return result{}, err
	}
	// OIDC Core, section 12.2: the same person, and no nonce but the first.
	if after.subject != before.subject || (after.nonce != "" && after.nonce != before.nonce) {
		return result{}, errors.New("the new ID token is of another sign-in (sub or nonce differs)")
	}
	after.nonce = before.nonce
	after.page.Refreshed, err = d.introspected(ctx, before.refreshToken)
	return after, err
}

// introspect asks what the provider says of the access token now (RFC 7662).
func (d *relyingParty) introspect(w http.ResponseWriter, r *http.Request) {
	found := d.results.of(r)
	if found.accessToken != "" {
		answer, err := d.introspected(r.Context(), found.accessToken)
		if err != nil {
			d.fail(w, http.StatusBadGateway, err)
			return
		}
		found.page.Introspection = answer
		d.results.replace(r, found)
	}
	http.Redirect(w, r, Path, http.StatusSeeOther)
}

// introspected gives the answer about a token, indented.
func (d *relyingParty) introspected(ctx context.Context, token string) (string, error) {
	at, err := d.endpoints(ctx)
	if err != nil {
		return "", err
	}
	answer, err := d.ask(ctx, at.Introspection, token)
	if err != nil {
		return "", fmt.Errorf("introspect: %w", err)
	}
	var shown bytes.Buffer
	if err := json.Indent(&shown, answer, "", "  "); err != nil {
		return "", fmt.Errorf("introspect: %w", err)
	}
	return shown.String(), nil
}

// endpoints are those of the provider that go-oidc does not know by itself.
type endpoints struct {
	EndSession    string `json:"end_session_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

func (d *relyingParty) endpoints(ctx context.Context) (endpoints, error) {
	var found endpoints
	issuer, _, err := d.discover(ctx)
	if err == nil {
		err = issuer.Claims(&found)
	}
	return found, err
}

// ask posts a token to an endpoint that wants the client to authenticate (RFC
// 7662, section 2.1; RFC 7009, section 2.1).
func (d *relyingParty) ask(ctx context.Context, endpoint, token string) ([]byte, error) {
	body := strings.NewReader(url.Values{"token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(ClientID), url.QueryEscape(d.secret)) // RFC 6749, section 2.3.1
	response, err := d.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", endpoint, response.Status)
	}
	return answer, err
}
