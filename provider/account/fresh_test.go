package account_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// renew signs the browser in again with this password, after the last sign-in is too old.
func renew(t *testing.T, v *providertest.Visitor, pass string) {
	t.Helper()
	v.Bed.Advance(6 * time.Minute)
	v.SignIn(t, v.Get(t, v.Bed.Issuer+"/account/password"), providertest.Alice, pass).WantAt(t, "/account/password")
}

// become gives the browser a session of this user, like a sign-in without a password.
func become(t *testing.T, v *providertest.Visitor, user storage.User) {
	t.Helper()
	const handle = "a handle that only this test knows"
	sum := sha256.Sum256([]byte(handle))
	_, err := v.Bed.DB.SignIn(context.Background(), storage.SignIn{
		UserID: user.ID, HandleHash: hex.EncodeToString(sum[:]), ACR: "urn:signet:1fa", AMR: []string{"fed"},
		IdleFor: 12 * time.Hour, AbsoluteFor: 24 * time.Hour,
	}, v.Bed.Now())
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(v.Bed.Issuer)
	v.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "signet", Value: handle, Path: "/"}})
}

// freshPages are the pages of acts that need a fresh sign-in.
var freshPages = []string{"/account/password", "/account/sessions/end-all", "/account/apps/withdraw?client_id=app"}

func TestAccount_StepUpNeededAfterFiveMinutes(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, path := range freshPages {
			renew(t, v, providertest.Password)
			b.Advance(5*time.Minute - 10*time.Second)
			v.Get(t, b.Issuer+path).WantAt(t, path)
			b.Advance(20 * time.Second)
			page := v.Get(t, b.Issuer+path)
			if page.At.Path != "/login" {
				t.Fatalf("%s after five minutes: at %s, want the sign-in page", path, page.At)
			}
			page.WantText(t, "Confirm it’s you", providertest.Alice)
			if refused := v.SignIn(t, page, providertest.Alice, "wrong password"); refused.StatusCode != http.StatusUnprocessableEntity {
				t.Fatalf("wrong password at the step-up of %s: status %d", path, refused.StatusCode)
			}
			if again := v.Get(t, b.Issuer+path); again.At.Path != "/login" {
				t.Fatalf("%s after a wrong password: at %s", path, again.At)
			}
			v.SignIn(t, page, providertest.Alice, providertest.Password).WantAt(t, path)
		}
		// Other pages need no step-up.
		b.Advance(time.Hour)
		for _, path := range []string{"/account", "/account/profile", "/account/sessions", "/account/apps"} {
			v.Get(t, b.Issuer+path).WantAt(t, path)
		}
	})
}

// A form that was opened in time but is sent too late changes nothing.
func TestAccount_LateFormNeedsStepUp(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		for _, path := range freshPages {
			renew(t, v, providertest.Password)
			page := v.Get(t, b.Issuer+path)
			u, _ := url.Parse(path)
			f := page.FormTo(t, u.Path, "", "")
			if f.Values.Has("new-password") {
				f.Values.Set("current-password", providertest.Password)
				f.Values.Set("new-password", providertest.NewPassword)
			}
			b.Advance(6 * time.Minute)
			page = v.Submit(t, f)
			if page.At.Path != "/login" {
				t.Fatalf("POST %s after six minutes: at %s, want the sign-in page:\n%s", path, page.At, page.Body)
			}
			tokens = b.MustRefresh(t, tokens["refresh_token"]) // no session has ended
			if path == "/account/password" {
				path += "?done=retype" // the typed passwords are not stored
			}
			v.SignIn(t, page, providertest.Alice, providertest.Password).WantAt(t, path)
		}
	})
}

// Only a fresh sign-in satisfies a step-up. The sealed request of an earlier step-up does
// not help later.
func TestAccount_OldSignInIsNoStepUp(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		b.Advance(6 * time.Minute)
		first := v.Get(t, b.Issuer+"/account/password")
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {first.Form(t).Values.Get("request")}}.Encode()
		v.SignIn(t, first, providertest.Alice, providertest.Password).WantAt(t, "/account/password")
		v.Get(t, next).WantAt(t, "/account/password")

		b.Advance(6 * time.Minute)
		page := v.Get(t, next)
		if page.At.Path != "/login" {
			t.Fatalf("the step-up of six minutes ago leads to %s", page.At)
		}
		if got := page.Form(t).Values.Get("request"); got == first.Form(t).Values.Get("request") {
			t.Error("the sign-in page repeats the old request")
		}
		// An old sign-in for an application does not help either.
		v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, providertest.Password)
		v.Get(t, b.Issuer+"/account/password").WantAt(t, "/account/password")
		b.Advance(6 * time.Minute)
		if page := v.Get(t, b.Issuer+"/account/password"); page.At.Path != "/login" {
			t.Fatalf("the application's sign-in of six minutes ago leads to %s", page.At)
		}
	})
}

// If another user signs in at the step-up, they see their own account, and the ticket of the
// first user is invalid for them.
func TestAccount_StepUpByAnotherUserChangesNothing(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		mallory := b.User(t, "mallory@example.com", "the password of mallory")
		v := b.Visitor(t)
		f := v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", "")
		elsewhere := b.Visitor(t)
		elsewhere.Account(t, "/account")
		b.Advance(6 * time.Minute)
		page := v.SignIn(t, v.Get(t, b.Issuer+"/account/password"), mallory.Email, "the password of mallory")
		page.WantAt(t, "/account/password")
		page.WantText(t, mallory.Email)
		v.Submit(t, f).WantPage(t, http.StatusConflict, "stale_form")
		elsewhere.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
	})
}
