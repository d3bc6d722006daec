package providertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/storage"
)

// Device is a device that waits for its user.
type Device struct {
	Code, UserCode string
	Page, Complete string // verification_uri, verification_uri_complete
}

// Televisions returns the testbed of a native client that has only the device grant and refresh
// tokens.
func (b *Testbed) Televisions(t *testing.T, change ...func(*storage.Client)) *Testbed {
	t.Helper()
	other := b.AsClient(b.RegisterWith(t, storage.Native, "tv", func(c *storage.Client) {
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantDevice, storage.GrantRefresh}, nil
		for _, f := range change {
			f(c)
		}
	}))
	b.Follow(t)
	return other
}

// RequestDevice sends a device authorization request as the testbed's client. pairs add or change
// form fields.
func (b *Testbed) RequestDevice(t *testing.T, pairs ...string) Answer {
	t.Helper()
	form := url.Values{"scope": {"openid email"}}
	if b.Secret == "" {
		form.Set("client_id", b.Client.ID)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.Post(t, "/device_authorization", FormType, strings.NewReader(form.Encode()))
}

// StartDevice sends a device authorization request that must succeed.
func (b *Testbed) StartDevice(t *testing.T, pairs ...string) Device {
	t.Helper()
	a := b.RequestDevice(t, pairs...)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("device authorization: status %d: %s", a.StatusCode, a.Body)
	}
	got := a.JSON(t)
	return Device{got["device_code"].(string), got["user_code"].(string), got["verification_uri"].(string), got["verification_uri_complete"].(string)}
}

// Poll polls with the device code. pairs add or change form fields.
func (b *Testbed) Poll(t *testing.T, d Device, pairs ...string) Answer {
	t.Helper()
	form := url.Values{"grant_type": {storage.GrantDevice}, "device_code": {d.Code}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.TokenRequest(t, form)
}

// RefusePoll polls, and fails the test unless the answer is this error.
func (b *Testbed) RefusePoll(t *testing.T, d Device, code string) {
	t.Helper()
	WantOAuthError(t, b.Poll(t, d), http.StatusBadRequest, code)
}

// OpenDevice follows the link of the device, signs in as Alice if necessary, and sends the code. It
// returns the page that asks about the device.
func (v *Visitor) OpenDevice(t *testing.T, d Device) Stop {
	t.Helper()
	page := v.Get(t, d.Complete)
	if page.At.Path == v.Bed.Path("/login") {
		page = v.SignIn(t, page, Alice, Password)
	}
	if page.At.Path != v.Bed.Path("/device") {
		t.Fatalf("the page is not the one for codes but %s (status %d):\n%s", page.At.Path, page.StatusCode, page.Body)
	}
	page = v.Submit(t, page.Form(t))
	if page.At.Path != v.Bed.Path("/device/confirm") || page.StatusCode != http.StatusOK {
		t.Fatalf("the page is not that of the device but %s (status %d):\n%s", page.At.Path, page.StatusCode, page.Body)
	}
	page.WantText(t, d.UserCode)
	return page
}

// AnswerDevice opens the page of the device and answers: "allow" or "deny".
func (v *Visitor) AnswerDevice(t *testing.T, d Device, decision string) Stop {
	t.Helper()
	return v.Submit(t, v.OpenDevice(t, d).Form(t), "decision", decision)
}
