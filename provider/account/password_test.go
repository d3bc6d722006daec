package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/storage"
)

const newPassword = "staple battery horse"

func (v *visitor) changePassword(t *testing.T, old, wanted string) stop {
	t.Helper()
	f := v.account(t, "/account/password").formTo(t, "/account/password", "", "")
	return v.submit(t, f, "current-password", old, "new-password", wanted)
}

// TestSS16_PasswordChangeEndsAllButThisBrowser has another browser signed in, its
// application online and another one offline, and a code under way.
func TestSS16_PasswordChangeEndsAllButThisBrowser(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.visitor(t)
		online := b.redeem(t, other.flow(t))
		b.consentTo(t, "openid email offline_access")
		offline := b.redeem(t, other.again(t, "scope", "openid offline_access"))
		code := other.again(t)
		v := b.visitor(t)
		v.account(t, "/account")
		mine := b.redeem(t, v.again(t))
		before := v.cookie(t, "signet")

		page := v.changePassword(t, password, newPassword)
		page.wantAt(t, "/account/password?done=password")
		page.wantText(t, "Your password was changed.")
		after := v.cookie(t, "signet")
		if before.Value == after.Value {
			t.Error("the browser's handle stayed the same")
		}
		for _, tokens := range []map[string]any{online, offline, mine} {
			b.wantDead(t, tokens)
		}
		b.refuseCode(t, code, "invalid_grant")
		if page := other.get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the other browser is at %s, want the sign-in page", page.At)
		}
		v.get(t, b.Issuer+"/account").wantAt(t, "/account")
		b.redeem(t, v.again(t)) // this browser goes on

		thief := b.visitor(t)
		u, _ := url.Parse(b.Issuer)
		thief.client.Jar.SetCookies(u, []*http.Cookie{before})
		if page := thief.get(t, b.Issuer+"/account"); page.At.Path != "/login" {
			t.Errorf("the old handle opens %s", page.At)
		}
		page = b.visitor(t).get(t, b.Issuer+"/account")
		v.signIn(t, page, alice, password).wantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		v.signIn(t, page, alice, newPassword).wantAt(t, "/account")
		b.wantEvent(t, storage.PasswordChanged, b.Alice.ID)
	})
}

// consentTo makes alice allow the client these scopes.
func (b *testbed) consentTo(t *testing.T, scopes string) {
	t.Helper()
	err := b.DB.AllowConsent(context.Background(), storage.Consenting{
		Consent: storage.Consent{
			UserID: b.Alice.ID, ClientID: b.Client.ID, Scopes: strings.Fields(scopes),
			GrantedAt: storage.At(b.now()), ExpiresAt: storage.At(b.now().Add(time.Hour)),
		},
		SessionID: b.sessionsOf(t, b.Alice.ID)[0].ID, RequestID: "consented in a test", Remember: true,
	}, b.now())
	if err != nil {
		t.Fatalf("allow: %v", err)
	}
}

func TestAccount_PasswordChangeKeepsTheCookieKept(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for _, keep := range []bool{false, true} {
			v := b.visitor(t)
			page := v.get(t, b.Issuer+"/account/password")
			f := page.form(t)
			if keep {
				f.values.Set("keep", "on")
			}
			page = v.submit(t, f, "username", alice, "password", password)
			form := page.formTo(t, "/account/password", "", "")
			form.values.Set("current-password", password)
			form.values.Set("new-password", newPassword)
			a := do(t, v.client, v.formRequest(t, form))
			if len(a.Cookies()) != 4 || a.Cookies()[1].MaxAge != -1 || a.Cookies()[2].MaxAge != -1 || a.Cookies()[3].Name != "signet_device" || !a.Cookies()[0].HttpOnly || a.Cookies()[0].Path != "/" || a.Cookies()[0].SameSite != http.SameSiteLaxMode {
				t.Fatalf("cookies: got %v, want one of the session, those of the app removed, and the device's", a.Cookies())
			}
			if got := a.Cookies()[0].MaxAge > 29*24*3600; got != keep {
				t.Errorf("kept %t: got Max-Age %d", keep, a.Cookies()[0].MaxAge)
			}
			v.changePassword(t, newPassword, password).wantAt(t, "/account/password?done=password")
		}
	})
}

// TestPW24_CurrentPasswordIsCountedWithSignIns: of the twenty wrong passwords that
// an account has, half are spent at each door. Whether the browser is known, makes
// no difference but whose count it is.
func TestPW24_CurrentPasswordIsCountedWithSignIns(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		login := b.visitor(t).get(t, b.Issuer+"/account")
		for _, known := range []bool{true, false} {
			if !known {
				v.keep("signet_device", "")
			}
			for range 10 {
				v.changePassword(t, "wrong password", newPassword).wantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
				v.signIn(t, login, alice, "wrong password").wantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
			}
			page := v.changePassword(t, password, newPassword)
			page.wantPage(t, http.StatusTooManyRequests, "too_many_attempts")
			if page.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			v.signIn(t, login, alice, password).wantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		}
		if got := count(b.events(t), storage.UserSignInFailed); got != 40 {
			t.Errorf("%d failed checks are recorded, want 20 of each count", got)
		}
		b.pass(16 * time.Minute)
		v.changePassword(t, password, newPassword).wantAt(t, "/account/password?done=password")
	})
}

// count is how often it happened: equal refusals of a minute are one event.
func count(events []storage.Event, kind storage.EventType) int {
	n := 0
	for _, e := range events {
		if e.Type == kind {
			n += int(e.Times)
		}
	}
	return n
}

func TestAccount_RightPasswordsAreNotCounted(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for range 25 {
			v.changePassword(t, password, "short").wantPage(t, http.StatusUnprocessableEntity, "weak_password")
		}
		v.changePassword(t, password, newPassword).wantAt(t, "/account/password?done=password")
	})
}

func TestAccount_WeakPasswordIsRefusedAtItsField(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for wanted, why := range map[string]string{
			"":                        "use at least 8 characters",
			"seven77":                 "use at least 8 characters",
			"password1":               "attackers try",
			alice:                     "not the e-mail address",
			strings.Repeat("x", 1025): "at most 1024 characters",
			password:                  "the password you have",
		} {
			page := v.changePassword(t, password, wanted)
			page.wantPage(t, http.StatusUnprocessableEntity, "weak_password")
			page.wantText(t, why, `href="#new-password"`, `id="new-password-wrong"`)
			if wanted != alice && wanted != "" && strings.Contains(page.Body, wanted) {
				t.Error("the page shows the password that was typed")
			}
		}
		v.account(t, "/account/password").wantText(t, "At least 8 characters", `autocomplete="new-password"`, `name="username" value="alice@example.com"`)
	})
}

// TestPW24_PasswordNeedsTheCurrentOne: no field of the form can stand for it.
func TestPW24_PasswordNeedsTheCurrentOne(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		mallory := b.user(t, "mallory@example.com", "the password of mallory")
		v.changePassword(t, "", newPassword).wantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		f := v.account(t, "/account/password").formTo(t, "/account/password", "", "")
		// The name in the form is for password managers; it decides nothing.
		page := v.submit(t, f, "username", mallory.Email, "current-password", "the password of mallory", "new-password", newPassword)
		page.wantPage(t, http.StatusUnprocessableEntity, "invalid_credentials")
		for _, extra := range []string{"password", "user_id", "sid", "force"} {
			f := v.account(t, "/account/password").formTo(t, "/account/password", "", "")
			page := v.submit(t, f, "current-password", password, "new-password", newPassword, extra, "1")
			page.wantPage(t, http.StatusBadRequest, "invalid_request")
		}
		b.visitor(t).account(t, "/account")
	})
}

func TestAccount_UserWithoutPasswordIsTold(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		bob, err := b.DB.CreateUser(context.Background(), storage.User{Email: "bob@example.com"}, "", storage.By{At: b.now()})
		if err != nil {
			t.Fatal(err)
		}
		v.become(t, bob)
		b.pass(time.Hour) // there is nothing to confirm it with, so it is not asked for
		page := v.get(t, b.Issuer+"/account/password")
		page.wantAt(t, "/account/password")
		page.wantText(t, "Your account has no password.")
		if strings.Contains(page.Body, "<form") {
			t.Error("there is a form")
		}
	})
}

// TestSS16_OldPasswordLosesTheRace lets sign-ins with the old password run while
// it is changed: whichever commits first, no browser but the one goes on.
func TestSS16_OldPasswordLosesTheRace(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		old, wanted := password, newPassword
		for range 5 {
			change := v.account(t, "/account/password").formTo(t, "/account/password", "", "")
			change.values.Set("current-password", old)
			change.values.Set("new-password", wanted)
			requests := []*http.Request{v.formRequest(t, change)}
			clients := []*http.Client{v.client}
			for range 6 {
				other := b.visitor(t)
				f := other.get(t, b.Issuer+"/account").form(t)
				f.values.Set("username", alice)
				f.values.Set("password", old)
				requests, clients = append(requests, other.formRequest(t, f)), append(clients, other.client)
			}
			var mu sync.Mutex
			statuses := map[int]int{}
			race(len(requests), func(i int) {
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
				t.Errorf("statuses %v: want 200 and 422 only", statuses)
			}
			if got := len(b.sessionsOf(t, b.Alice.ID)); got != 1 {
				t.Errorf("%d sessions live on, want the one that changed the password", got)
			}
			v.get(t, b.Issuer+"/account").wantAt(t, "/account")
			old, wanted = wanted, old
			b.pass(time.Second)
			v.renew(t, old)
		}
	})
}
