package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/storage"
)

// renew signs the browser in again with this password.
func (v *visitor) renew(t *testing.T, pass string) {
	t.Helper()
	v.b.pass(6 * time.Minute)
	v.signIn(t, v.get(t, v.b.Issuer+"/account/password"), alice, pass).wantAt(t, "/account/password")
}

// become gives the browser a session of this user, as a way of signing in would
// that needs no password.
func (v *visitor) become(t *testing.T, user storage.User) {
	t.Helper()
	const handle = "a handle that only this test knows"
	sum := sha256.Sum256([]byte(handle))
	_, err := v.b.DB.SignIn(context.Background(), storage.SignIn{
		UserID: user.ID, HandleHash: hex.EncodeToString(sum[:]), ACR: "urn:signet:1fa", AMR: []string{"fed"},
		IdleFor: 12 * time.Hour, AbsoluteFor: 24 * time.Hour,
	}, v.b.now())
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(v.b.Issuer)
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet", Value: handle, Path: "/"}})
}

// What ends more than one session, and how its form is sent.
var freshPages = []string{"/account/password", "/account/sessions/end-all", "/account/apps/withdraw?client_id=app"}

func TestAccount_StepUpIsAskedForAfterFiveMinutes(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		for _, path := range freshPages {
			v.renew(t, password)
			b.pass(5*time.Minute - 10*time.Second)
			v.get(t, b.Issuer+path).wantAt(t, path)
			b.pass(20 * time.Second)
			page := v.get(t, b.Issuer+path)
			if page.At.Path != "/login" {
				t.Fatalf("%s after five minutes: at %s, want the sign-in page", path, page.At)
			}
			page.wantText(t, "Confirm it’s you", alice)
			if refused := v.signIn(t, page, alice, "wrong password"); refused.StatusCode != http.StatusUnprocessableEntity {
				t.Fatalf("wrong password at the step-up of %s: status %d", path, refused.StatusCode)
			}
			if again := v.get(t, b.Issuer+path); again.At.Path != "/login" {
				t.Fatalf("%s after a wrong password: at %s", path, again.At)
			}
			v.signIn(t, page, alice, password).wantAt(t, path)
		}
		// What ends less is not worth the question.
		b.pass(time.Hour)
		for _, path := range []string{"/account", "/account/profile", "/account/sessions", "/account/apps"} {
			v.get(t, b.Issuer+path).wantAt(t, path)
		}
	})
}

// The page may have been opened in time and sent too late: nothing happens then.
func TestAccount_StepUpIsAskedForAgainByThePost(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		for _, path := range freshPages {
			v.renew(t, password)
			page := v.get(t, b.Issuer+path)
			u, _ := url.Parse(path)
			f := page.formTo(t, u.Path, "", "")
			if f.values.Has("new-password") {
				f.values.Set("current-password", password)
				f.values.Set("new-password", newPassword)
			}
			b.pass(6 * time.Minute)
			page = v.submit(t, f)
			if page.At.Path != "/login" {
				t.Fatalf("POST %s after six minutes: at %s, want the sign-in page:\n%s", path, page.At, page.Body)
			}
			tokens = b.refreshed(t, tokens["refresh_token"]) // nothing has ended
			if path == "/account/password" {
				path += "?done=retype" // passwords are not kept
			}
			v.signIn(t, page, alice, password).wantAt(t, path)
		}
	})
}

// A sign-in meets a step-up only while it is fresh, whichever request it answered:
// the sealed request of an earlier step-up opens nothing later.
func TestAccount_StepUpIsNotMetByAnOlderRequest(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		b.pass(6 * time.Minute)
		first := v.get(t, b.Issuer+"/account/password")
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {first.form(t).values.Get("request")}}.Encode()
		v.signIn(t, first, alice, password).wantAt(t, "/account/password")
		v.get(t, next).wantAt(t, "/account/password")

		b.pass(6 * time.Minute)
		page := v.get(t, next)
		if page.At.Path != "/login" {
			t.Fatalf("the step-up of six minutes ago leads to %s", page.At)
		}
		if got := page.form(t).values.Get("request"); got == first.form(t).values.Get("request") {
			t.Error("the question is the old request's")
		}
		// Nor does the answer to an application's request, however it was asked.
		v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), alice, password)
		v.get(t, b.Issuer+"/account/password").wantAt(t, "/account/password")
		b.pass(6 * time.Minute)
		if page := v.get(t, b.Issuer+"/account/password"); page.At.Path != "/login" {
			t.Fatalf("the application's sign-in of six minutes ago leads to %s", page.At)
		}
	})
}

// Somebody else who answers the question sees their own account, and the ticket of
// the first is worth nothing to them.
func TestAccount_StepUpByAnotherUserChangesNothingOfTheFirst(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		mallory := b.user(t, "mallory@example.com", "the password of mallory")
		v := b.visitor(t)
		f := v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", "")
		elsewhere := b.visitor(t)
		elsewhere.account(t, "/account")
		b.pass(6 * time.Minute)
		page := v.signIn(t, v.get(t, b.Issuer+"/account/password"), mallory.Email, "the password of mallory")
		page.wantAt(t, "/account/password")
		page.wantText(t, mallory.Email)
		v.submit(t, f).wantPage(t, http.StatusConflict, "stale_form")
		elsewhere.get(t, b.Issuer+"/account").wantAt(t, "/account")
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
	})
}
