package credential_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// known returns a browser that alice has signed in with and out again.
func known(t *testing.T, b *providertest.Testbed) *providertest.Visitor {
	t.Helper()
	v := b.Visitor(t)
	v.SignInApp(t)
	providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent)
	v.WantApp(t, false)
	return v
}

// tryWithCookies tries alice's correct password in a browser with only these cookies.
func tryWithCookies(t *testing.T, b *providertest.Testbed, cookies string) providertest.Answer {
	t.Helper()
	v := b.Visitor(t)
	v.Client = providertest.Direct
	return v.CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Cookie", cookies), providertest.WithHeader("X-Forwarded-For", "203.0.113.99"))
}

// The owner can sign in at a browser that she has used before, even if attackers have used
// up the attempts of her account. Others cannot, and a known browser has no more attempts
// than others.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_AttackersCannotLockOwnerOut(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		home, office := known(t, b), known(t, b)
		changing := known(t, b)
		form := changing.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
		lockOut(t, b, providertest.Alice)
		node := b.Node(t, providertest.BehindProxy, providertest.WithAppOrigins(providertest.Shop))
		for name, try := range endpoints {
			wantLocked(t, name+", a new browser", try(b.Visitor(t), t, providertest.Alice, providertest.Password, "203.0.113.1"))
			wantSignedIn(t, b, name+", at home", try(home, t, providertest.Alice, providertest.Password, "203.0.113.1"))
		}
		other := *office
		other.Bed = node
		wantSignedIn(t, b, "at another node", other.TryPasswordInApp(t, providertest.Alice, providertest.Password, "203.0.113.1"))
		changing.Submit(t, form, "current-password", providertest.Password, "new-password", providertest.NewPassword).WantAt(t, "/account/password?done=password")
		// Correct passwords are not counted. Wrong ones are counted for each browser.
		signedOut(t, changing)
		for i := range 10 {
			for name, try := range endpoints {
				wantWrong(t, name, try(changing, t, providertest.Alice, "wrong password", ""))
				if i%5 == 0 {
					wantSignedIn(t, b, name, try(changing, t, providertest.Alice, providertest.NewPassword, ""))
				}
			}
		}
		for name, try := range endpoints {
			wantLocked(t, name+", known, too many", try(changing, t, providertest.Alice, providertest.NewPassword, ""))
			wantLocked(t, name+", before the password was changed", try(home, t, providertest.Alice, providertest.NewPassword, "203.0.113.1"))
		}
		b.Advance(15 * time.Minute)
		wantSignedIn(t, b, "after the window", changing.TryPasswordInApp(t, providertest.Alice, providertest.NewPassword, ""))
		wantSignedIn(t, b, "after the window, at home", home.TryPasswordInApp(t, providertest.Alice, providertest.NewPassword, ""))
	})
}

// signedOut ends the browser's session and leaves its other cookies.
func signedOut(t *testing.T, v *providertest.Visitor) {
	t.Helper()
	providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent)
}

// Others in the owner's network cannot lock the owner out either.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_OwnerSignsInFromThrottledNetwork(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		home := known(t, b)
		for i := range 100 {
			wantWrong(t, "a guess", b.Visitor(t).TryPasswordInApp(t, strings.Repeat("x", i+1)+"@example.com", "wrong password", "198.51.100.7"))
		}
		wantLocked(t, "a new browser", b.Visitor(t).TryPasswordInApp(t, providertest.Alice, providertest.Password, "198.51.100.7"))
		wantSignedIn(t, b, "at home", home.TryPasswordInApp(t, providertest.Alice, providertest.Password, "198.51.100.7"))
	}, providertest.BehindProxy)
}

// A stolen cookie allows as many guesses as any browser, and no guesses at other accounts.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_StolenCookieHasLimitOfOneBrowser(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		home, office, thief := known(t, b), known(t, b), b.Visitor(t)
		thief.SetCookie("signet_device", home.Device(t))
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		for range 20 {
			wantWrong(t, "a guess", thief.TryPasswordInApp(t, providertest.Alice, "wrong password", ""))
		}
		wantLocked(t, "the thief", thief.TryPasswordInApp(t, providertest.Alice, providertest.Password, ""))
		wantLocked(t, "the thief at another account", thief.TryPasswordInApp(t, "bob@example.com", providertest.Password, ""))
		wantSignedIn(t, b, "the owner elsewhere", office.TryPasswordInApp(t, providertest.Alice, providertest.Password, ""))
		if got := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); got != 60 {
			t.Errorf("%d recorded guesses, want 60", got)
		}
	})
}

// Cookies that do not make a browser a known one. Such a browser shares the count of the
// account and gets the same answers as a stranger.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_InvalidDevicesCountAsUnknown(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		bob := b.User(t, "bob@example.com", providertest.Password)
		devices := map[string]string{}
		devices["under a revoked key"] = known(t, b).Device(t)
		b.RevokeKey(t, storage.InternalLine)
		b.Follow(t)
		devices["old"] = known(t, b).Device(t)
		b.Advance(180 * 24 * time.Hour)
		for label, end := range map[string]func() error{
			"from before all was ended": func() error {
				return b.DB.SignOutEverywhere(context.Background(), b.Alice.ID, "asked", storage.By{From: providertest.TestOrigin, At: b.Now()})
			},
			"from before she was disabled": func() error {
				b.SetAliceEnabled(t, false)
				b.SetAliceEnabled(t, true)
				return nil
			},
			"from before the password was reset": func() error {
				_, hash, err := b.DB.UserByEmail(context.Background(), providertest.Alice)
				if err != nil {
					return err
				}
				_, err = b.DB.ResetPassword(context.Background(), storage.PasswordReset{UserID: b.Alice.ID, Hash: hash, Reason: "test", From: providertest.TestOrigin}, b.Now())
				return err
			},
		} {
			devices[label] = known(t, b).Device(t)
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
		his := b.Visitor(t)
		wantSignedIn(t, b, "bob", his.TryPasswordInApp(t, bob.Email, providertest.Password, ""))
		good := known(t, b).Device(t)
		devices["bob's"] = his.Device(t)
		devices["a request"] = b.Visitor(t).Get(t, b.AuthorizeURL()).Form(t).Values.Get("request")
		devices["a session"] = his.Cookie(t, "signet").Value
		devices["altered"] = good[:60] + flipped(good[60:61]) + good[61:]
		devices["cut"] = good[:len(good)-2]
		devices["longer"] = good + "AAAA"
		devices["made up"] = `{"d":"x","u":"` + b.Alice.ID + `","s":9999999999999}`
		lockOut(t, b, providertest.Alice)
		for label, device := range devices {
			wantLocked(t, label, tryWithCookies(t, b, "signet_device="+device))
		}
		wantLocked(t, "twice", tryWithCookies(t, b, "signet_device="+good+"; signet_device="+good))
		wantLocked(t, "another's beside it", tryWithCookies(t, b, "signet_device="+good+"; signet_device="+devices["bob's"]))
		wantLocked(t, "under another name", tryWithCookies(t, b, "signet_devicex="+good))
		wantSignedIn(t, b, "the good one", tryWithCookies(t, b, "signet_device="+good))

		// A disabled user gets the same answers as a stranger.
		b.SetAliceEnabled(t, false)
		wantLocked(t, "disabled", tryWithCookies(t, b, "signet_device="+good))
		b.Advance(15 * time.Minute)
		wantWrong(t, "disabled, after the window", tryWithCookies(t, b, "signet_device="+good))
	})
}

// flipped returns another character of base64url.
func flipped(c string) string {
	if c == "A" {
		return "B"
	}
	return "A"
}

// A browser stays known for half a year after the last sign-in, also when keys are rotated
// and for all ways to sign in.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_StaysKnownForHalfAYear(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		home := known(t, b)
		months := func(n int) {
			for range n {
				b.Advance(30*24*time.Hour - 2*time.Hour)
				for range 3 { // the clock has jumped; the keeper trusts it again after an hour
					if err := b.RotateOnce(context.Background(), b.Now()); err != nil {
						t.Fatal(err)
					}
					b.Advance(time.Hour / 2)
				}
			}
		}
		sealedWith := b.Kid(t, storage.InternalLine, storage.KeyActive)
		months(5)
		if b.Kid(t, storage.InternalLine, storage.KeyActive) == sealedWith {
			t.Fatal("the keys have not rotated")
		}
		lockOut(t, b, providertest.Alice)
		wantSignedIn(t, b, "after five months", home.TryPasswordInApp(t, providertest.Alice, providertest.Password, ""))
		signedOut(t, home)
		months(5)
		lockOut(t, b, providertest.Alice)
		wantSignedIn(t, b, "after five months more", home.TryPasswordInApp(t, providertest.Alice, providertest.Password, ""))
		months(7)
		lockOut(t, b, providertest.Alice)
		wantLocked(t, "after seven months", home.TryPasswordInApp(t, providertest.Alice, providertest.Password, ""))
	}, providertest.BehindProxy, func(c *provider.Config) { c.Algorithms = []string{"ES256"} }) // RSA keys take long to generate
}

// A sign-in through an upstream makes the browser known too.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestDevice_UpstreamSignInMakesBrowserKnown(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.CreateUser(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true}, providertest.Password)
		v := b.Visitor(t)
		proof := v.AuthorizeThrough(t, "google", "ada").FormTo(t, "/login/link", "", "")
		v.Allow(t, v.DecideLink(t, v.Submit(t, proof, "password", providertest.Password), "connect"))
		v.SetCookie("signet_device", "")
		v.AuthorizeThrough(t, "google", "ada", "prompt", "login")
		stranger := b.Visitor(t)
		for range 20 {
			wantWrong(t, "a guess", stranger.TryPasswordOnPage(t, providertest.AdaEmail, "wrong password", ""))
		}
		wantLocked(t, "a stranger", stranger.TryPasswordOnPage(t, providertest.AdaEmail, providertest.Password, ""))
		wantSignedIn(t, b, "the owner", v.TryPasswordOnPage(t, providertest.AdaEmail, providertest.Password, ""))
	})
}

// The cookie remains when the user signs out or ends all sessions. The next user who signs
// in replaces it.
// SS-04: Cookies have the right attributes when they are set and deleted.
func TestDevice_CookieSurvivesSession(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		device := v.Device(t)
		v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		v.WantSignedOut(t)
		if v.Device(t) != device {
			t.Error("the sign-out has changed the cookie")
		}
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		wantSignedIn(t, b, "alice", v.TryPasswordOnPage(t, providertest.Alice, providertest.Password, ""))
		wantLocked(t, "bob", v.TryPasswordOnPage(t, "bob@example.com", providertest.Password, ""))
		b.Advance(15 * time.Minute)
		wantSignedIn(t, b, "bob, after the window", v.TryPasswordOnPage(t, "bob@example.com", providertest.Password, ""))
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		wantLocked(t, "alice, after bob", v.TryPasswordOnPage(t, providertest.Alice, providertest.Password, ""))
		wantSignedIn(t, b, "bob", v.TryPasswordOnPage(t, "bob@example.com", providertest.Password, ""))
		if strings.Contains(v.Device(t), "bob") || strings.Contains(v.Device(t), "usr_") {
			t.Error("the cookie contains the user id in plain text")
		}
	}, providertest.BehindProxy, providertest.WithIssuer(providertest.HTTPSIssuer))
}
