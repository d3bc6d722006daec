package account_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// Another browser is signed in, with an online and an offline application and with a code
// that is not redeemed yet. A new password ends all of them.
// SS-16: A changed password ends the other sessions.
func TestAccount_PasswordChangeKeepsOnlyThisBrowser(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Visitor(t)
		online := b.Redeem(t, other.SignInForCode(t))
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, other.CodeFromSession(t, "scope", "openid offline_access"))
		code := other.CodeFromSession(t)
		v := b.Visitor(t)
		v.Account(t, "/account")
		mine := b.Redeem(t, v.CodeFromSession(t))
		before := v.Cookie(t, "signet")

		page := v.ChangePassword(t, providertest.Password, providertest.NewPassword)
		page.WantAt(t, "/account/password?done=password")
		page.WantText(t, "Your password was changed.")
		after := v.Cookie(t, "signet")
		if before.Value == after.Value {
			t.Error("the session cookie of the browser has not changed")
		}
		for _, tokens := range []map[string]any{online, offline, mine} {
			b.WantRevoked(t, tokens)
		}
		b.RefuseCode(t, code, "invalid_grant")
		if page := other.Get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the other browser is at %s, want the sign-in page", page.At)
		}
		v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
		b.Redeem(t, v.CodeFromSession(t)) // this browser is still signed in

		thief := b.Visitor(t)
		u, _ := url.Parse(b.Issuer)
		thief.Client.Jar.SetCookies(u, []*http.Cookie{before})
		if page := thief.Get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the old session cookie leads to %s, want the sign-in page", page.At)
		}
		page = b.Visitor(t).Get(t, b.Issuer+"/account")
		v.SignIn(t, page, providertest.Alice, providertest.Password).WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		v.SignIn(t, page, providertest.Alice, providertest.NewPassword).WantAt(t, "/account")
		b.WantEvent(t, storage.PasswordChanged, b.Alice.ID)
	})
}

func TestAccount_PasswordChangeKeepsCookieLifetime(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for _, keep := range []bool{false, true} {
			v := b.Visitor(t)
			page := v.Get(t, b.Issuer+"/account/password")
			f := page.Form(t)
			if keep {
				f.Values.Set("keep", "on")
			}
			page = v.Submit(t, f, "username", providertest.Alice, "password", providertest.Password)
			form := page.FormTo(t, "/account/password", "", "")
			form.Values.Set("current-password", providertest.Password)
			form.Values.Set("new-password", providertest.NewPassword)
			a := providertest.Do(t, v.Client, v.FormRequest(t, form))
			if len(a.Cookies()) != 4 || a.Cookies()[1].MaxAge != -1 || a.Cookies()[2].MaxAge != -1 || a.Cookies()[3].Name != "signet_device" || !a.Cookies()[0].HttpOnly || a.Cookies()[0].Path != "/" || a.Cookies()[0].SameSite != http.SameSiteLaxMode {
				t.Fatalf("cookies: got %v, want the session's, the two of the app deleted, and the device's", a.Cookies())
			}
			if got := a.Cookies()[0].MaxAge > 29*24*3600; got != keep {
				t.Errorf("kept %t: got Max-Age %d", keep, a.Cookies()[0].MaxAge)
			}
			v.ChangePassword(t, providertest.NewPassword, providertest.Password).WantAt(t, "/account/password?done=password")
		}
	})
}

// Of the twenty wrong passwords of an account, half are typed at the sign-in page and half
// at the form for a new password. The limit is the same in a known browser, but with its own
// count.
// PW-24: Every place that asks for a password counts failures, and the old password is needed to change it.
func TestAccount_WrongCurrentPasswordCountsAsSignIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		login := b.Visitor(t).Get(t, b.Issuer+"/account")
		for _, known := range []bool{true, false} {
			if !known {
				v.SetCookie("signet_device", "")
			}
			for range 10 {
				v.ChangePassword(t, "wrong password", providertest.NewPassword).WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
				v.SignIn(t, login, providertest.Alice, "wrong password").WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
			}
			page := v.ChangePassword(t, providertest.Password, providertest.NewPassword)
			page.WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
			if page.Header.Get("Retry-After") == "" {
				t.Error("the answer has no Retry-After")
			}
			v.SignIn(t, login, providertest.Alice, providertest.Password).WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		}
		if got := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); got != 40 {
			t.Errorf("%d events of failed sign-ins, want 40 (20 of each count)", got)
		}
		b.Advance(16 * time.Minute)
		v.ChangePassword(t, providertest.Password, providertest.NewPassword).WantAt(t, "/account/password?done=password")
	})
}

func TestAccount_CorrectPasswordIsNotCounted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for range 25 {
			v.ChangePassword(t, providertest.Password, "short").WantPage(t, http.StatusUnprocessableEntity, "weak_password")
		}
		v.ChangePassword(t, providertest.Password, providertest.NewPassword).WantAt(t, "/account/password?done=password")
	})
}

func TestAccount_WeakPasswordShowsErrorAtField(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for wanted, why := range map[string]string{
			"":                        "Use at least 10 characters",
			"seven77":                 "Use at least 10 characters",
			"password1234":            "attackers try",
			providertest.Alice:        "is your email address",
			strings.Repeat("x", 1025): "at most 1024 characters",
			providertest.Password:     "the password you already have",
		} {
			page := v.ChangePassword(t, providertest.Password, wanted)
			page.WantPage(t, http.StatusUnprocessableEntity, "weak_password")
			page.WantText(t, why, `href="#new-password"`, `id="new-password-wrong"`)
			if wanted != providertest.Alice && wanted != "" && strings.Contains(page.Body, wanted) {
				t.Error("the page shows the password that was typed")
			}
		}
		v.Account(t, "/account/password").WantText(t, "at least 10 characters", `autocomplete="new-password"`, `name="username" value="alice@example.com"`)
	})
}

// No other field of the form can replace the current password.
// PW-24: Every place that asks for a password counts failures, and the old password is needed to change it.
func TestAccount_PasswordChangeNeedsCurrentPassword(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		mallory := b.User(t, "mallory@example.com", "the password of mallory")
		v.ChangePassword(t, "", providertest.NewPassword).WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		f := v.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
		// The field username is only for password managers and has no effect.
		page := v.Submit(t, f, "username", mallory.Email, "current-password", "the password of mallory", "new-password", providertest.NewPassword)
		page.WantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		for _, extra := range []string{"password", "user_id", "sid", "force"} {
			f := v.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
			page := v.Submit(t, f, "current-password", providertest.Password, "new-password", providertest.NewPassword, extra, "1")
			page.WantPage(t, http.StatusBadRequest, "invalid_request")
		}
		b.Visitor(t).Account(t, "/account")
	})
}

func TestAccount_UserWithoutPasswordSeesNoForm(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account").WantText(t, "Changing it signs you out everywhere else.")
		bob, err := b.DB.CreateUser(context.Background(), storage.User{Email: "bob@example.com"}, "", storage.By{At: b.Now()})
		if err != nil {
			t.Fatal(err)
		}
		become(t, v, bob)
		v.Get(t, b.Issuer+"/account").WantText(t, "Your account has no password.")
		b.Advance(time.Hour) // there is nothing to confirm it with, so it is not asked for
		page := v.Get(t, b.Issuer+"/account/password")
		page.WantAt(t, "/account/password")
		page.WantText(t, "Your account has no password.")
		if strings.Contains(page.Body, "<form") {
			t.Error("the page has a form")
		}
	})
}

// Sign-ins with the old password run while it is changed. In whichever order they commit,
// only the browser that changes the password stays signed in.
// SS-16: A changed password ends the other sessions.
func TestAccount_SignInsDuringPasswordChangeAreEnded(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		old, wanted := providertest.Password, providertest.NewPassword
		for range 5 {
			change := v.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
			change.Values.Set("current-password", old)
			change.Values.Set("new-password", wanted)
			requests := []*http.Request{v.FormRequest(t, change)}
			clients := []*http.Client{v.Client}
			for range 6 {
				other := b.Visitor(t)
				f := other.Get(t, b.Issuer+"/account").Form(t)
				f.Values.Set("username", providertest.Alice)
				f.Values.Set("password", old)
				requests, clients = append(requests, other.FormRequest(t, f)), append(clients, other.Client)
			}
			var mu sync.Mutex
			statuses := map[int]int{}
			providertest.Race(len(requests), func(i int) {
				response, err := clients[i].Do(requests[i])
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				statuses[response.StatusCode]++
			})
			if statuses[http.StatusOK]+statuses[http.StatusUnprocessableEntity] != len(requests) {
				t.Errorf("statuses %v: want only 200 and 422", statuses)
			}
			if got := len(b.SessionsOf(t, b.Alice.ID)); got != 1 {
				t.Errorf("%d sessions are left, want only the one that changed the password", got)
			}
			v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
			old, wanted = wanted, old
			b.Advance(time.Second)
			renew(t, v, old)
		}
	})
}
