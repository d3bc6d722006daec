package interaction_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// signInTelling signs Alice in with her password. The browser tells whether it makes passkeys by itself.
func signInTelling(t *testing.T, v *providertest.Visitor, creates string) providertest.Answer {
	t.Helper()
	return v.SignInTelling(t, providertest.Alice, creates)
}

func asksForPasskey(page providertest.Answer) bool {
	return strings.Contains(page.Body, "data-creates")
}

// madeForm returns what the script sends for the form of a page.
func madeForm(t *testing.T, b *providertest.Testbed, page providertest.Answer, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) providertest.Form {
	t.Helper()
	return b.MadePasskeyForm(t, page, a, b.Alice.ID, change...)
}

func send(t *testing.T, v *providertest.Visitor, f providertest.Form) int {
	t.Helper()
	return providertest.Do(t, v.Client, v.FormRequest(t, f)).StatusCode
}

// unnoticed returns an authenticator that stores passkeys without its user.
func unnoticed(t *testing.T, b *providertest.Testbed) *passkeytest.Authenticator {
	t.Helper()
	a := b.Authenticator(t)
	a.Flags &^= passkeytest.Present | passkeytest.Verified
	return a
}

// A browser makes a passkey by itself after a sign-in with a password. The passkey signs in with one
// factor, the other browsers stay signed in, and the account page says where it comes from.
func TestMadePasskey_IsAddedAfterAPassword(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, other := b.Visitor(t), b.Visitor(t)
		other.Account(t, "/account")
		page := signInTelling(t, v, "1")
		if wait := page.Header.Get("Refresh"); !strings.HasPrefix(wait, "8;url=") {
			t.Errorf("the page waits %q", wait)
		}
		a := unnoticed(t, b)
		if status := send(t, v, madeForm(t, b, page, a)); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
		list := b.PasskeysOf(t, b.Alice.ID)
		if len(list) != 1 || !list[0].Detail.Automatic || list[0].ProvenAt != 0 {
			t.Fatalf("passkeys %+v", list)
		}
		if e := b.WantEvent(t, storage.PasskeyAdded, b.Alice.ID); e.Reason != storage.ConditionalCreate {
			t.Errorf("event %+v", e)
		}
		other.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		v.Get(t, b.Issuer+"/account/passkeys").WantText(t, "Your browser added it by itself", "counts as one factor")

		a.Flags |= passkeytest.Present | passkeytest.Verified
		w := b.Visitor(t)
		acr, amr := tokensOf(t, w, w.UsePasskey(t, w.Get(t, b.AuthorizeURL()), a))
		if acr != storage.ACROneFactor || !slices.Equal(amr, []string{"pop", "swk", "user"}) {
			t.Errorf("acr %s, amr %v", acr, amr)
		}
		if page := signInTelling(t, b.Visitor(t), "1"); asksForPasskey(page) {
			t.Error("a person with a passkey is asked for one")
		}
	}, providertest.WithMadePasskeys)
}

// Only a browser that says that it can is asked for a passkey, and once a day. Others go on at once, and
// the server reads nothing for them.
func TestMadePasskey_AsksWhoCan(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, cannot := b.Visitor(t), b.Visitor(t)
		if page := v.Get(t, b.AuthorizeURL()); !strings.Contains(page.Body, `name="creates" value="" data-can-create`) {
			t.Errorf("the form does not ask the browser: %s", page.Body)
		}
		goesOn := func(what string, v *providertest.Visitor, creates string) {
			t.Helper()
			page := signInTelling(t, v, creates)
			if asksForPasskey(page) || !strings.HasPrefix(page.Header.Get("Refresh"), "0;url=") {
				t.Errorf("%s: waits %q: %s", what, page.Header.Get("Refresh"), page.Body)
			}
		}
		goesOn("cannot", cannot, "")
		if cannot.Cookie(t, "__Host-signet_create") != nil {
			t.Error("a browser that cannot make passkeys got the cookie")
		}
		if page := signInTelling(t, v, "1"); !asksForPasskey(page) {
			t.Errorf("not asked: %s", page.Body)
		}
		reads := func(v *providertest.Visitor, creates string) int64 {
			before, _ := b.DB.Calls()
			goesOn("creates "+creates, v, creates)
			after, _ := b.DB.Calls()
			return after - before
		}
		if asked, never := reads(v, "1"), reads(cannot, ""); asked != never {
			t.Errorf("%d reads for a browser that was asked today, %d for one that cannot", asked, never)
		}
	}, providertest.WithMadePasskeys)
}

// The form works once, in its own session, for its own user, soon after the sign-in, and for a person
// without a passkey.
func TestMadePasskey_RefusesOthers(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := unnoticed(t, b)
		bob := b.CreateUser(t, storage.User{Email: "bob@example.com", EmailVerified: true}, providertest.Password)
		refused := func(what string, v *providertest.Visitor, f providertest.Form) {
			t.Helper()
			if status := send(t, v, f); status != http.StatusConflict {
				t.Errorf("%s: status %d", what, status)
			}
		}
		v := b.Visitor(t)
		f := madeForm(t, b, signInTelling(t, v, "1"), a)
		refused("no session", b.Visitor(t), f)
		another := b.Visitor(t)
		signInTelling(t, another, "")
		refused("another session", another, f)
		theirs := b.Visitor(t)
		theirs.SignIn(t, theirs.Get(t, b.AuthorizeURL()), bob.Email, providertest.Password)
		refused("another user", theirs, f)
		adding, _ := another.Account(t, "/account/passkeys/add").PasskeyForm(t)
		refused("the challenge of another purpose", another, providertest.Form{Action: f.Action, Values: url.Values{
			"challenge": {adding.Values.Get("challenge")}, "credential": f.Values["credential"],
		}})
		w := b.Visitor(t)
		refused("an answer to another origin", w, madeForm(t, b, signInTelling(t, w, "1"), a, func(answer *passkeytest.Answer) {
			answer.ClientData["origin"] = "https://evil.example"
		}))
		if n := len(b.PasskeysOf(t, b.Alice.ID)); n != 0 {
			t.Fatalf("%d passkeys were added", n)
		}
		b.Advance(5*time.Minute + time.Second)
		refused("more than five minutes later", v, f)

		v = b.Visitor(t)
		f = madeForm(t, b, signInTelling(t, v, "1"), a)
		second := b.Visitor(t)
		late := madeForm(t, b, signInTelling(t, second, "1"), a)
		if status := send(t, v, f); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
		refused("once more", v, f)
		refused("in a browser that is slower", second, late)
		if n := len(b.PasskeysOf(t, b.Alice.ID)); n != 1 {
			t.Errorf("%d passkeys", n)
		}
	}, providertest.WithMadePasskeys)
}

// Without the setting, nothing asks for a passkey and nothing takes one.
func TestMadePasskey_IsOffByDefault(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		if page := v.Get(t, b.AuthorizeURL()); strings.Contains(page.Body, "data-can-create") {
			t.Error("the form asks the browser")
		}
		if page := signInTelling(t, v, "1"); asksForPasskey(page) || page.Header.Get("Refresh")[:2] != "0;" {
			t.Errorf("the page asks for a passkey: %s", page.Body)
		}
		f, _ := v.Get(t, b.Issuer+"/account/passkeys/add").PasskeyForm(t)
		f.Action, f.Values = b.Issuer+"/login/passkey/made", url.Values{"challenge": f.Values["challenge"], "credential": {"{}"}}
		if status := send(t, v, f); status != http.StatusConflict {
			t.Errorf("status %d", status)
		}
	})
}
