package providertest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/storage"
	"signet/storage/storagetest"
)

// AdminEmail is the address of the administrator.
const AdminEmail = "root@example.com"

// Administrator is a browser in which an administrator is signed in, at a page.
func (b *Testbed) Administrator(t *testing.T, path string) (*Visitor, Stop) {
	t.Helper()
	b.CreateUser(t, storage.User{Email: AdminEmail, EmailVerified: true, Admin: true}, Password)
	v := b.Visitor(t)
	return v, v.SignIn(t, v.Get(t, b.Issuer+path), AdminEmail, Password)
}

// RevokePathOf is the page on which this key is revoked.
func RevokePathOf(kid string) string { return "/admin/keys/revoke?kid=" + url.QueryEscape(kid) }

// What an operator does while a sign-in is under way.

// SetAliceEnabled disables alice, or enables her again.
func (b *Testbed) SetAliceEnabled(t *testing.T, enabled bool) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), b.Alice.ID, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}

// SetClientEnabled disables the testbed's client, or enables it again.
func (b *Testbed) SetClientEnabled(t *testing.T, enabled bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), b.Client.ID, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// ChangeClient changes the client as it was registered; not what an earlier call changed.
func (b *Testbed) ChangeClient(t *testing.T, change func(*storage.Client)) {
	t.Helper()
	client := b.Client
	change(&client)
	if err := storagetest.ReplaceClient(context.Background(), b.DB, client, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// NextURL gives a good request's own link to the dispatcher, as a POST to
// /authorize is answered with it.
func (b *Testbed) NextURL(t *testing.T, v *Visitor, pairs ...string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/authorize", strings.NewReader(b.Params(pairs...).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := Do(t, v.Client, r)
	location, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || !location.Query().Has("request") {
		t.Fatalf("POST /authorize: got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	return r.URL.ResolveReference(location).String()
}
