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

// AdminEmail is the email address of the administrator that Administrator creates.
const AdminEmail = "root@example.com"

// Administrator creates an administrator, signs them in with a new browser and opens the page
// at path.
func (b *Testbed) Administrator(t *testing.T, path string) (*Visitor, Stop) {
	t.Helper()
	b.CreateUser(t, storage.User{Email: AdminEmail, EmailVerified: true, Admin: true}, Password)
	v := b.Visitor(t)
	return v, v.SignIn(t, v.Get(t, b.Issuer+path), AdminEmail, Password)
}

// RevokePathOf returns the path of the page that revokes this key.
func RevokePathOf(kid string) string { return "/admin/keys/revoke?kid=" + url.QueryEscape(kid) }

// SetAliceEnabled enables or disables alice, as an operator does.
func (b *Testbed) SetAliceEnabled(t *testing.T, enabled bool) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), b.Alice.ID, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}

// SetClientEnabled enables or disables the testbed's client. The provider notices at once.
func (b *Testbed) SetClientEnabled(t *testing.T, enabled bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), b.Client.ID, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// ChangeClient replaces the stored client by b.Client with this change. b.Client itself stays
// as it is, so the change of an earlier call is undone. The provider notices at once.
func (b *Testbed) ChangeClient(t *testing.T, change func(*storage.Client)) {
	t.Helper()
	client := b.Client
	change(&client)
	if err := storagetest.ReplaceClient(context.Background(), b.DB, client, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// NextURL posts a valid authorization request and returns the URL at /authorize/next to which
// the provider redirects.
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
		t.Fatalf("POST /authorize: got status %d and location %q, want 303 and a request parameter", a.StatusCode, a.Header.Get("Location"))
	}
	return r.URL.ResolveReference(location).String()
}

// Operating creates a user with this role of administration, and signs the user in with a new browser.
func (b *Testbed) Operating(t *testing.T, role storage.AdminRole) (*Visitor, storage.User) {
	t.Helper()
	u := storage.User{Email: storage.NewID("op-") + "@example.com", EmailVerified: true}
	u.SetAdminRole(role)
	u = b.CreateUser(t, u, Password)
	v := b.Visitor(t)
	v.SignIn(t, v.Get(t, b.Issuer+"/account"), u.Email, Password).WantAt(t, "/account")
	return v, u
}

// UserByID reads a user.
func (b *Testbed) UserByID(t *testing.T, id string) storage.User {
	t.Helper()
	u, err := b.DB.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
