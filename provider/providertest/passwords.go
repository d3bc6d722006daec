package providertest

import (
	"encoding/json"
	"testing"
)

// Device is the value of the browser's device cookie.
func (v *Visitor) Device(t *testing.T) string {
	t.Helper()
	c := v.Cookie(t, v.Bed.SessionCookie()+"_device")
	if c == nil || c.Value == "" {
		t.Fatal("the browser has no device cookie")
	}
	return c.Value
}

// TryPasswordOnPage tries a password on the sign-in page.
func (v *Visitor) TryPasswordOnPage(t *testing.T, username, pass, address string) Answer {
	t.Helper()
	f := v.Get(t, v.Bed.AuthorizeURL("prompt", "login")).FormTo(t, v.Bed.Path("/login"), "", "")
	f.Values.Set("username", username)
	f.Values.Set("password", pass)
	r := v.FormRequest(t, f)
	WithHeader("X-Forwarded-For", address)(r)
	return Do(t, v.Client, r)
}

// TryPasswordInApp tries a password through the first-party app.
func (v *Visitor) TryPasswordInApp(t *testing.T, username, pass, address string) Answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": pass})
	if err != nil {
		t.Fatal(err)
	}
	return v.CallApp(t, "/login", string(body), WithHeader("X-Forwarded-For", address))
}

// EachAppBehindProxy runs the test on every database, with an app and a proxy in front.
func EachAppBehindProxy(t *testing.T, f func(t *testing.T, b *Testbed)) { EachApp(t, f, BehindProxy) }
