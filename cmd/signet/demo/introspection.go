package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// introspected returns the introspection response for a token, indented.
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

// endpoints holds the endpoints from the discovery document that go-oidc does not read.
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

// ask posts a token to an endpoint that requires client authentication (RFC 7662, section
// 2.1; RFC 7009, section 2.1).
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
