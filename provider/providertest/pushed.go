package providertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Push pushes an authorization request as the testbed's client (RFC 9126).
func (b *Testbed) Push(t testing.TB, form url.Values) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/par", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", FormType)
	if b.Secret != "" {
		r.SetBasicAuth(url.QueryEscape(b.Client.ID), url.QueryEscape(b.Secret))
	}
	response, err := Direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// MustPush pushes a valid request and returns its request_uri. For pairs see Params.
func (b *Testbed) MustPush(t *testing.T, pairs ...string) string {
	t.Helper()
	a := b.Push(t, b.Params(pairs...))
	if a.StatusCode != http.StatusCreated {
		t.Fatalf("push: got %d %s", a.StatusCode, a.Body)
	}
	return a.JSON(t)["request_uri"].(string)
}

// PushedURL returns the URL of an authorization request with this request_uri and more parameters.
func (b *Testbed) PushedURL(uri string, pairs ...string) string {
	v := url.Values{"client_id": {b.Client.ID}, "request_uri": {uri}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return b.Issuer + "/authorize?" + v.Encode()
}
