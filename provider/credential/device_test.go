package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
)

// device is the value of the browser's device cookie.
func (v *visitor) device(t *testing.T) string {
	t.Helper()
	c := v.cookie(t, v.b.sessionCookie()+"_device")
	if c == nil || c.Value == "" {
		t.Fatal("the browser has no device cookie")
	}
	return c.Value
}

// known is a browser that alice has signed in with, and out again.
func (b *testbed) known(t *testing.T) *visitor {
	t.Helper()
	v := b.visitor(t)
	v.signInApp(t)
	wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent)
	v.wantApp(t, false)
	return v
}

// bearing tries alice's right password from a browser that has these cookies only.
func (b *testbed) bearing(t *testing.T, cookies string) answer {
	t.Helper()
	v := b.visitor(t)
	v.client = direct
	return v.app(t, "/login", credentials, with("Cookie", cookies), with("X-Forwarded-For", "203.0.113.99"))
}

// The owner gets in where she has been before, whatever strangers try; nobody else
// does, and a browser that is known has no more attempts than others.
func TestPW04_StrangersDoNotLockTheOwnerOut(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		home, office := b.known(t), b.known(t)
		changing := b.known(t)
		form := changing.account(t, "/account/password").formTo(t, "/account/password", "", "")
		b.lockOut(t, alice)
		node := b.node(t, behindProxy, appAt(shop))
		for name, try := range doors {
			wantLocked(t, name+", a new browser", try(b.visitor(t), t, alice, password, "203.0.113.1"))
			b.wantIn(t, name+", at home", try(home, t, alice, password, "203.0.113.1"))
		}
		other := *office
		other.b = node
		b.wantIn(t, "at another node", other.byApp(t, alice, password, "203.0.113.1"))
		changing.submit(t, form, "current-password", password, "new-password", newPassword).wantAt(t, "/account/password?done=password")
		// Right ones are not counted; wrong ones are, for each browser.
		changing.signedOut(t)
		for i := range 10 {
			for name, try := range doors {
				wantWrong(t, name, try(changing, t, alice, "wrong password", ""))
				if i%5 == 0 {
					b.wantIn(t, name, try(changing, t, alice, newPassword, ""))
				}
			}
		}
		for name, try := range doors {
			wantLocked(t, name+", known, too many", try(changing, t, alice, newPassword, ""))
			wantLocked(t, name+", before the password was changed", try(home, t, alice, newPassword, "203.0.113.1"))
		}
		b.pass(15 * time.Minute)
		b.wantIn(t, "after the window", changing.byApp(t, alice, newPassword, ""))
		b.wantIn(t, "after the window, at home", home.byApp(t, alice, newPassword, ""))
	})
}

// signedOut ends the browser's session and leaves its other cookies.
func (v *visitor) signedOut(t *testing.T) {
	t.Helper()
	wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent)
}

// Nor can others of the owner's network.
func TestPW04_OwnerGetsInFromAThrottledNetwork(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		home := b.known(t)
		for i := range 100 {
			wantWrong(t, "a guess", b.visitor(t).byApp(t, strings.Repeat("x", i+1)+"@example.com", "wrong password", "198.51.100.7"))
		}
		wantLocked(t, "a new browser", b.visitor(t).byApp(t, alice, password, "198.51.100.7"))
		b.wantIn(t, "at home", home.byApp(t, alice, password, "198.51.100.7"))
	}, behindProxy)
}

// A stolen cookie is worth as many guesses as any browser has, and none at others.
func TestPW04_StolenDeviceHasTheLimitOfOne(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		b.user(t, "bob@example.com", password)
		home, office, thief := b.known(t), b.known(t), b.visitor(t)
		thief.keep("signet_device", home.device(t))
		b.lockOut(t, alice)
		b.lockOut(t, "bob@example.com")
		for range 20 {
			wantWrong(t, "a guess", thief.byApp(t, alice, "wrong password", ""))
		}
		wantLocked(t, "the thief", thief.byApp(t, alice, password, ""))
		wantLocked(t, "the thief at another account", thief.byApp(t, "bob@example.com", password, ""))
		b.wantIn(t, "the owner elsewhere", office.byApp(t, alice, password, ""))
		if got := count(b.events(t), storage.UserSignInFailed); got != 60 {
			t.Errorf("%d guesses are recorded, want 60", got)
		}
	})
}

// What a browser can bring that makes it no known one: it then shares the account's
// count, and hears what strangers hear.
func TestPW04_DevicesThatAreNotKnown(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		bob := b.user(t, "bob@example.com", password)
		devices := map[string]string{}
		devices["under a revoked key"] = b.known(t).device(t)
		b.revokeKey(t, storage.InternalLine)
		b.follow(t)
		devices["old"] = b.known(t).device(t)
		b.pass(180 * 24 * time.Hour)
		for what, end := range map[string]func() error{
			"from before all was ended": func() error {
				return b.DB.SignOutEverywhere(ctx, b.Alice.ID, "asked", storage.By{From: here, At: b.now()})
			},
			"from before she was disabled": func() error {
				b.disableUser(t, true)
				b.disableUser(t, false)
				return nil
			},
			"from before the password was reset": func() error {
				_, hash, err := b.DB.UserByEmail(ctx, alice)
				if err != nil {
					return err
				}
				_, err = b.DB.ResetPassword(ctx, storage.PasswordReset{UserID: b.Alice.ID, Hash: hash, Reason: "test", From: here}, b.now())
				return err
			},
		} {
			devices[what] = b.known(t).device(t)
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
		his := b.visitor(t)
		b.wantIn(t, "bob", his.byApp(t, bob.Email, password, ""))
		good := b.known(t).device(t)
		devices["bob's"] = his.device(t)
		devices["a request"] = b.visitor(t).get(t, b.authorizeURL()).form(t).values.Get("request")
		devices["a session"] = his.cookie(t, "signet").Value
		devices["altered"] = good[:60] + flipped(good[60:61]) + good[61:]
		devices["cut"] = good[:len(good)-2]
		devices["longer"] = good + "AAAA"
		devices["made up"] = `{"d":"x","u":"` + b.Alice.ID + `","s":9999999999999}`
		b.lockOut(t, alice)
		for what, device := range devices {
			wantLocked(t, what, b.bearing(t, "signet_device="+device))
		}
		wantLocked(t, "twice", b.bearing(t, "signet_device="+good+"; signet_device="+good))
		wantLocked(t, "another's beside it", b.bearing(t, "signet_device="+good+"; signet_device="+devices["bob's"]))
		wantLocked(t, "under another name", b.bearing(t, "signet_devicex="+good))
		b.wantIn(t, "the good one", b.bearing(t, "signet_device="+good))

		// Whoever is disabled is refused as any stranger is.
		b.disableUser(t, true)
		wantLocked(t, "disabled", b.bearing(t, "signet_device="+good))
		b.pass(15 * time.Minute)
		wantWrong(t, "disabled, after the window", b.bearing(t, "signet_device="+good))
	})
}

// flipped is another character of base64url.
func flipped(c string) string {
	if c == "A" {
		return "B"
	}
	return "A"
}

// The browser stays known for half a year after the last sign-in, over rotations of
// the keys, by whatever way the person signed in.
func TestPW04_DeviceIsKnownForHalfAYear(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		home := b.known(t)
		months := func(n int) {
			for range n {
				b.pass(30*24*time.Hour - 2*time.Hour)
				for range 3 { // the clock has jumped, and is believed again after an hour
					if err := b.RotateOnce(ctx, b.now()); err != nil {
						t.Fatal(err)
					}
					b.pass(time.Hour / 2)
				}
			}
		}
		sealedWith := b.kid(t, storage.InternalLine, storage.KeyActive)
		months(5)
		if b.kid(t, storage.InternalLine, storage.KeyActive) == sealedWith {
			t.Fatal("the keys have not rotated")
		}
		b.lockOut(t, alice)
		b.wantIn(t, "after five months", home.byApp(t, alice, password, ""))
		home.signedOut(t)
		months(5)
		b.lockOut(t, alice)
		b.wantIn(t, "after five months more", home.byApp(t, alice, password, ""))
		months(7)
		b.lockOut(t, alice)
		wantLocked(t, "after seven months", home.byApp(t, alice, password, ""))
	}, behindProxy, func(c *provider.Config) { c.Algorithms = []string{"ES256"} }) // making RSA keys takes longest
}

// Who comes through an upstream has been here, too.
func TestPW04_UpstreamSignInMakesTheBrowserKnown(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		b.local(t, storage.User{Email: adaEmail, EmailVerified: true}, password)
		v := b.visitor(t)
		proof := v.comeBy(t, "google", "ada").formTo(t, "/login/link", "", "")
		v.allow(t, v.submit(t, proof, "password", password))
		v.keep("signet_device", "")
		v.comeBy(t, "google", "ada", "prompt", "login")
		stranger := b.visitor(t)
		for range 20 {
			wantWrong(t, "a guess", stranger.byPage(t, adaEmail, "wrong password", ""))
		}
		wantLocked(t, "a stranger", stranger.byPage(t, adaEmail, password, ""))
		b.wantIn(t, "the owner", v.byPage(t, adaEmail, password, ""))
	})
}

// Signing out, or ending all, leaves the cookie in place; only the next to sign in
// takes it over.
func TestSS04_DeviceCookieOutlivesTheSession(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		b.user(t, "bob@example.com", password)
		v := b.visitor(t)
		v.arrive(t, alice)
		device := v.device(t)
		v.submit(t, v.get(t, b.leave()).form(t), "decision", "allow")
		v.wantSignedOut(t)
		if v.device(t) != device {
			t.Error("the sign-out changed it")
		}
		b.lockOut(t, alice)
		b.lockOut(t, "bob@example.com")
		b.wantIn(t, "alice", v.byPage(t, alice, password, ""))
		wantLocked(t, "bob", v.byPage(t, "bob@example.com", password, ""))
		b.pass(15 * time.Minute)
		b.wantIn(t, "bob, after the window", v.byPage(t, "bob@example.com", password, ""))
		b.lockOut(t, alice)
		b.lockOut(t, "bob@example.com")
		wantLocked(t, "alice, after bob", v.byPage(t, alice, password, ""))
		b.wantIn(t, "bob", v.byPage(t, "bob@example.com", password, ""))
		if strings.Contains(v.device(t), "bob") || strings.Contains(v.device(t), "usr_") {
			t.Error("the cookie says in clear whose it is")
		}
	}, behindProxy, issuedBy(secure))
}
