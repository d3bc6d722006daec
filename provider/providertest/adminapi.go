package providertest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/storage"
)

// Operator is a service that calls the administration API.
type Operator struct {
	*Testbed
	Token string // sent with each call; "": none
}

// Operator makes a service with these scopes of the administration API, and gets a token.
func (b *Testbed) Operator(t *testing.T, scopes ...string) Operator {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Service, storage.NewID("operator-"), func(c *storage.Client) {
		c.AdminAPI, c.Metadata.Scope = true, strings.Join(scopes, " ")
	})
	b.Follow(t)
	o := Operator{Testbed: b.AsClient(client, secret)}
	o.Token, _ = o.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}}).JSON(t)["access_token"].(string)
	if o.Token == "" {
		t.Fatalf("no token for %v", scopes)
	}
	return o
}

// Call calls the administration API: a method, a path below the API with an optional query, and a
// JSON body, "" for none. change may change the request.
func (o Operator) Call(t *testing.T, method, path, body string, change ...func(*http.Request)) Answer {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, o.Issuer+"/admin/api/v1"+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.Token != "" {
		r.Header.Set("Authorization", "Bearer "+o.Token)
	}
	for _, c := range change {
		c(r)
	}
	return Do(t, Direct, r)
}

// WantProblem fails the test unless the answer is a problem document with this status, code and
// field.
func (a Answer) WantProblem(t *testing.T, label string, status int, code, field string) {
	t.Helper()
	if a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: got %d %s %s, want a problem document", label, a.StatusCode, a.Header.Get("Content-Type"), a.Body)
		return
	}
	got := a.JSON(t)
	if name, _ := got["field"].(string); a.StatusCode != status || got["code"] != code || name != field {
		t.Errorf("%s: got %d %s, want %d %s with field %q", label, a.StatusCode, a.Body, status, code, field)
	}
	if got["detail"] == "" || got["request_id"] == nil {
		t.Errorf("%s: the problem has no detail or no request_id: %s", label, a.Body)
	}
}

// TokenForm opens the page that gives tokens for the administration API to the person of the browser,
// and returns its form with these scopes.
func (v *Visitor) TokenForm(t *testing.T, scopes string) Form {
	t.Helper()
	f := v.Get(t, v.Bed.Issuer+"/admin/token").FormTo(t, "/admin/token", "", "")
	f.Values.Set("scope", scopes)
	return f
}

// OperatorToken gets a token for the administration API as a script of the page does, and returns a
// caller with it.
func (v *Visitor) OperatorToken(t *testing.T, scopes string) Operator {
	t.Helper()
	r := v.FormRequest(t, v.TokenForm(t, scopes))
	r.Header.Set("Accept", "application/json")
	a := Do(t, v.Client, r)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("no token for %s: status %d\n%s", scopes, a.StatusCode, a.Body)
	}
	token, _ := a.JSON(t)["access_token"].(string)
	return Operator{Testbed: v.Bed, Token: token}
}
