package providertest

import (
	"encoding/json"
	"testing"
)

// Device returns the value of the device cookie of the browser.
func (v *Visitor) Device(t *testing.T) string {
	t.Helper()
	c := v.Cookie(t, v.Bed.SessionCookie()+"_device")
	if c == nil || c.Value == "" {
		t.Fatal("the browser has no device cookie")
	}
	return c.Value
}

// TryPasswordOnPage posts a username and password on the sign-in page, from this IP address.
// It needs BehindProxy.
func (v *Visitor) TryPasswordOnPage(t *testing.T, username, pass, address string) Answer {
	t.Helper()
	f := v.Get(t, v.Bed.AuthorizeURL("prompt", "login")).FormTo(t, v.Bed.Path("/login"), "", "")
	f.Values.Set("username", username)
	f.Values.Set("password", pass)
	r := v.FormRequest(t, f)
	WithHeader("X-Forwarded-For", address)(r)
	return Do(t, v.Client, r)
}

// TryPasswordInApp posts a username and password through the first-party app, from this IP
// address. It needs BehindProxy.
func (v *Visitor) TryPasswordInApp(t *testing.T, username, pass, address string) Answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": pass})
	if err != nil {
		t.Fatal(err)
	}
	return v.CallApp(t, "/login", string(body), WithHeader("X-Forwarded-For", address))
}

// EachAppBehindProxy is EachApp with BehindProxy.
func EachAppBehindProxy(t *testing.T, f func(t *testing.T, b *Testbed)) { EachApp(t, f, BehindProxy) }
