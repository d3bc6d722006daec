package providertest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// RaceCode redeems a code 50 times at once, on all nodes in turn. It fails the test unless
// exactly one redemption succeeds and its access token is revoked afterwards.
func (b *Testbed) RaceCode(t *testing.T, code string, nodes ...*Testbed) {
	t.Helper()
	answers := make([]Answer, 50)
	Race(len(answers), func(i int) {
		answers[i] = nodes[i%len(nodes)].TokenRequest(t, b.CodeForm(code))
	})
	var won []Answer
	for _, a := range answers {
		if a.StatusCode == http.StatusOK {
			won = append(won, a)
			continue
		}
		WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
	}
	if len(won) != 1 {
		t.Fatalf("%d of %d redemptions succeeded, want exactly one", len(won), len(answers))
	}
	for _, node := range nodes {
		node.WantUserinfo(t, won[0].JSON(t)["access_token"].(string), http.StatusUnauthorized)
	}
}

// Introspect introspects a token as the testbed's client. pairs add or change form fields.
func (b *Testbed) Introspect(t *testing.T, token any, pairs ...string) map[string]any {
	t.Helper()
	form := url.Values{"token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	a := b.Post(t, "/introspect", FormType, strings.NewReader(form.Encode()))
	if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("introspect: got %d %v %s", a.StatusCode, a.Header, a.Body)
	}
	return a.JSON(t)
}

// WantInactive fails the test unless introspection answers {"active": false} and nothing
// else. The failure message begins with label.
func (b *Testbed) WantInactive(t *testing.T, label string, token any) {
	t.Helper()
	if got := b.Introspect(t, token); len(got) != 1 || got["active"] != false {
		t.Errorf("%s: introspection answers %v, want only active: false", label, got)
	}
}

// Refresh sends a refresh request; pairs of name and value add or change form fields.
func (b *Testbed) Refresh(t *testing.T, token any, pairs ...string) Answer {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.TokenRequest(t, form)
}

// MustRefresh refreshes and returns the token response.
func (b *Testbed) MustRefresh(t *testing.T, token any, pairs ...string) map[string]any {
	t.Helper()
	a := b.Refresh(t, token, pairs...)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("refresh: status %d: %s", a.StatusCode, a.Body)
	}
	return a.JSON(t)
}

// RefuseRefresh refreshes and fails the test unless the answer is this OAuth error.
func (b *Testbed) RefuseRefresh(t *testing.T, token any, code string, pairs ...string) {
	t.Helper()
	WantOAuthError(t, b.Refresh(t, token, pairs...), http.StatusBadRequest, code)
}

// WantRevoked fails the test unless the access token and the refresh token of a token
// response are refused.
func (b *Testbed) WantRevoked(t *testing.T, tokens map[string]any) {
	t.Helper()
	if a := b.Userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusUnauthorized {
		t.Fatalf("userinfo of a revoked grant: got status %d, want 401: %s", a.StatusCode, a.Body)
	}
	b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
}

// Revocation posts a token to /revoke as the testbed's client and returns the answer.
func (b *Testbed) Revocation(t *testing.T, token any, pairs ...string) Answer {
	t.Helper()
	form := url.Values{"token": {token.(string)}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	if b.Secret == "" {
		form.Set("client_id", b.Client.ID)
	}
	return b.Post(t, "/revoke", FormType, strings.NewReader(form.Encode()), func(r *http.Request) {
		if b.Secret == "" {
			r.Header.Del("Authorization")
		}
	})
}

// Revoke posts a token to /revoke and fails the test unless the answer is 200 with an empty
// body, which is the answer for every token (RFC 7009, section 2.2).
func (b *Testbed) Revoke(t *testing.T, token any, pairs ...string) {
	t.Helper()
	if a := b.Revocation(t, token, pairs...); a.StatusCode != http.StatusOK || strings.TrimSpace(a.Body) != "" && strings.TrimSpace(a.Body) != "null" {
		t.Fatalf("revoke: got %d %q", a.StatusCode, a.Body)
	}
}

// FormEndpoints are the endpoints that take a form from a client.
var FormEndpoints = []string{"/token", "/introspect", "/revoke", "/device_authorization"}

// Post sends a body to an endpoint, with the id and secret of the testbed's client.
func (b *Testbed) Post(t *testing.T, path, contentType string, body io.Reader, change ...func(*http.Request)) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.SetBasicAuth(url.QueryEscape(b.Client.ID), url.QueryEscape(b.Secret))
	for _, c := range change {
		c(r)
	}
	return Do(t, Direct, r)
}

// FormType is the content type of a form.
const FormType = "application/x-www-form-urlencoded"

// GoodForm returns a form that the endpoint parses without an error: the redemption of code
// at /token, a scope at /device_authorization, and an unknown token at the other endpoints.
func (b *Testbed) GoodForm(path, code string) url.Values {
	switch path {
	case "/token":
		return b.CodeForm(code)
	case "/device_authorization":
		return url.Values{"scope": {"openid"}}
	}
	return url.Values{"token": {"none"}, "token_type_hint": {"access_token"}}
}

// RequestUserinfo sends a request to /userinfo. query begins with "?" or is empty; headers are
// pairs of name and value, sent in this spelling.
func (b *Testbed) RequestUserinfo(t *testing.T, method, query, body string, headers ...string) Answer {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+"/userinfo"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return Do(t, Direct, r)
}

// IsActive introspects a token as the testbed's client and reports whether it is active.
func IsActive(t *testing.T, b *Testbed, token string) bool {
	t.Helper()
	a := b.Post(t, "/introspect", FormType, strings.NewReader(url.Values{"token": {token}}.Encode()))
	return WantStatus(t, a, http.StatusOK).JSON(t)["active"] == true
}
