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

// known is a browser that alice has signed in with, and out again.
func known(t *testing.T, b *providertest.Testbed) *providertest.Visitor {
	t.Helper()
	v := b.Visitor(t)
	v.SignInApp(t)
	providertest.WantStatus(t, v.App(t, "/logout", ""), http.StatusNoContent)
	v.WantApp(t, false)
	return v
}

// bearing tries alice's right password from a browser that has these cookies only.
func bearing(t *testing.T, b *providertest.Testbed, cookies string) providertest.Answer {
	t.Helper()
	v := b.Visitor(t)
	v.Client = providertest.Direct
	return v.App(t, "/login", providertest.Credentials, providertest.WithHeader("Cookie", cookies), providertest.WithHeader("X-Forwarded-For", "203.0.113.99"))
}

// The owner gets in where she has been before, whatever strangers try; nobody else
// does, and a browser that is known has no more attempts than others.
// PW-04: 1,000 guesses on one account.
func TestDevice_StrangersDoNotLockTheOwnerOut(t *testing.T) {
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		home, office := known(t, b), known(t, b)
		changing := known(t, b)
		form := changing.Account(t, "/account/password").FormTo(t, "/account/password", "", "")
		lockOut(t, b, providertest.Alice)
		node := b.Node(t, providertest.BehindProxy, providertest.AppAt(providertest.Shop))
		for name, try := range doors {
			wantLocked(t, name+", a new browser", try(b.Visitor(t), t, providertest.Alice, providertest.Password, "203.0.113.1"))
			wantIn(t, b, name+", at home", try(home, t, providertest.Alice, providertest.Password, "203.0.113.1"))
		}
		other := *office
		other.Bed = node
		wantIn(t, b, "at another node", other.ByApp(t, providertest.Alice, providertest.Password, "203.0.113.1"))
		changing.Submit(t, form, "current-password", providertest.Password, "new-password", providertest.NewPassword).WantAt(t, "/account/password?done=password")
		// Right ones are not counted; wrong ones are, for each browser.
		signedOut(t, changing)
		for i := range 10 {
			for name, try := range doors {
				wantWrong(t, name, try(changing, t, providertest.Alice, "wrong password", ""))
				if i%5 == 0 {
					wantIn(t, b, name, try(changing, t, providertest.Alice, providertest.NewPassword, ""))
				}
			}
		}
		for name, try := range doors {
			wantLocked(t, name+", known, too many", try(changing, t, providertest.Alice, providertest.NewPassword, ""))
			wantLocked(t, name+", before the password was changed", try(home, t, providertest.Alice, providertest.NewPassword, "203.0.113.1"))
		}
		b.Pass(15 * time.Minute)
		wantIn(t, b, "after the window", changing.ByApp(t, providertest.Alice, providertest.NewPassword, ""))
		wantIn(t, b, "after the window, at home", home.ByApp(t, providertest.Alice, providertest.NewPassword, ""))
	})
}

// signedOut ends the browser's session and leaves its other cookies.
func signedOut(t *testing.T, v *providertest.Visitor) {
	t.Helper()
	providertest.WantStatus(t, v.App(t, "/logout", ""), http.StatusNoContent)
}

// Nor can others of the owner's network.
// PW-04: 1,000 guesses on one account.
func TestDevice_OwnerGetsInFromAThrottledNetwork(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		home := known(t, b)
		for i := range 100 {
			wantWrong(t, "a guess", b.Visitor(t).ByApp(t, strings.Repeat("x", i+1)+"@example.com", "wrong password", "198.51.100.7"))
		}
		wantLocked(t, "a new browser", b.Visitor(t).ByApp(t, providertest.Alice, providertest.Password, "198.51.100.7"))
		wantIn(t, b, "at home", home.ByApp(t, providertest.Alice, providertest.Password, "198.51.100.7"))
	}, providertest.BehindProxy)
}

// A stolen cookie is worth as many guesses as any browser has, and none at others.
// PW-04: 1,000 guesses on one account.
func TestDevice_StolenDeviceHasTheLimitOfOne(t *testing.T) {
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		home, office, thief := known(t, b), known(t, b), b.Visitor(t)
		thief.Keep("signet_device", home.Device(t))
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		for range 20 {
			wantWrong(t, "a guess", thief.ByApp(t, providertest.Alice, "wrong password", ""))
		}
		wantLocked(t, "the thief", thief.ByApp(t, providertest.Alice, providertest.Password, ""))
		wantLocked(t, "the thief at another account", thief.ByApp(t, "bob@example.com", providertest.Password, ""))
		wantIn(t, b, "the owner elsewhere", office.ByApp(t, providertest.Alice, providertest.Password, ""))
		if got := providertest.Count(b.Events(t), storage.UserSignInFailed); got != 60 {
			t.Errorf("%d guesses are recorded, want 60", got)
		}
	})
}

// What a browser can bring that makes it no known one: it then shares the account's
// count, and hears what strangers hear.
// PW-04: 1,000 guesses on one account.
func TestDevice_DevicesThatAreNotKnown(t *testing.T) {
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		bob := b.User(t, "bob@example.com", providertest.Password)
		devices := map[string]string{}
		devices["under a revoked key"] = known(t, b).Device(t)
		b.RevokeKey(t, storage.InternalLine)
		b.Follow(t)
		devices["old"] = known(t, b).Device(t)
		b.Pass(180 * 24 * time.Hour)
		for what, end := range map[string]func() error{
			"from before all was ended": func() error {
				return b.DB.SignOutEverywhere(context.Background(), b.Alice.ID, "asked", storage.By{From: providertest.Here, At: b.Now()})
			},
			"from before she was disabled": func() error {
				b.DisableUser(t, true)
				b.DisableUser(t, false)
				return nil
			},
			"from before the password was reset": func() error {
				_, hash, err := b.DB.UserByEmail(context.Background(), providertest.Alice)
				if err != nil {
					return err
				}
				_, err = b.DB.ResetPassword(context.Background(), storage.PasswordReset{UserID: b.Alice.ID, Hash: hash, Reason: "test", From: providertest.Here}, b.Now())
				return err
			},
		} {
			devices[what] = known(t, b).Device(t)
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
		his := b.Visitor(t)
		wantIn(t, b, "bob", his.ByApp(t, bob.Email, providertest.Password, ""))
		good := known(t, b).Device(t)
		devices["bob's"] = his.Device(t)
		devices["a request"] = b.Visitor(t).Get(t, b.AuthorizeURL()).Form(t).Values.Get("request")
		devices["a session"] = his.Cookie(t, "signet").Value
		devices["altered"] = good[:60] + flipped(good[60:61]) + good[61:]
		devices["cut"] = good[:len(good)-2]
		devices["longer"] = good + "AAAA"
		devices["made up"] = `{"d":"x","u":"` + b.Alice.ID + `","s":9999999999999}`
		lockOut(t, b, providertest.Alice)
		for what, device := range devices {
			wantLocked(t, what, bearing(t, b, "signet_device="+device))
		}
		wantLocked(t, "twice", bearing(t, b, "signet_device="+good+"; signet_device="+good))
		wantLocked(t, "another's beside it", bearing(t, b, "signet_device="+good+"; signet_device="+devices["bob's"]))
		wantLocked(t, "under another name", bearing(t, b, "signet_devicex="+good))
		wantIn(t, b, "the good one", bearing(t, b, "signet_device="+good))

		// Whoever is disabled is refused as any stranger is.
		b.DisableUser(t, true)
		wantLocked(t, "disabled", bearing(t, b, "signet_device="+good))
		b.Pass(15 * time.Minute)
		wantWrong(t, "disabled, after the window", bearing(t, b, "signet_device="+good))
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
// PW-04: 1,000 guesses on one account.
func TestDevice_IsKnownForHalfAYear(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		home := known(t, b)
		months := func(n int) {
			for range n {
				b.Pass(30*24*time.Hour - 2*time.Hour)
				for range 3 { // the clock has jumped, and is believed again after an hour
					if err := b.RotateOnce(context.Background(), b.Now()); err != nil {
						t.Fatal(err)
					}
					b.Pass(time.Hour / 2)
				}
			}
		}
		sealedWith := b.Kid(t, storage.InternalLine, storage.KeyActive)
		months(5)
		if b.Kid(t, storage.InternalLine, storage.KeyActive) == sealedWith {
			t.Fatal("the keys have not rotated")
		}
		lockOut(t, b, providertest.Alice)
		wantIn(t, b, "after five months", home.ByApp(t, providertest.Alice, providertest.Password, ""))
		signedOut(t, home)
		months(5)
		lockOut(t, b, providertest.Alice)
		wantIn(t, b, "after five months more", home.ByApp(t, providertest.Alice, providertest.Password, ""))
		months(7)
		lockOut(t, b, providertest.Alice)
		wantLocked(t, "after seven months", home.ByApp(t, providertest.Alice, providertest.Password, ""))
	}, providertest.BehindProxy, func(c *provider.Config) { c.Algorithms = []string{"ES256"} }) // making RSA keys takes longest
}

// Who comes through an upstream has been here, too.
// PW-04: 1,000 guesses on one account.
func TestDevice_UpstreamSignInMakesTheBrowserKnown(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.Local(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true}, providertest.Password)
		v := b.Visitor(t)
		proof := v.ComeBy(t, "google", "ada").FormTo(t, "/login/link", "", "")
		v.Allow(t, v.Decide(t, v.Submit(t, proof, "password", providertest.Password), "connect"))
		v.Keep("signet_device", "")
		v.ComeBy(t, "google", "ada", "prompt", "login")
		stranger := b.Visitor(t)
		for range 20 {
			wantWrong(t, "a guess", stranger.ByPage(t, providertest.AdaEmail, "wrong password", ""))
		}
		wantLocked(t, "a stranger", stranger.ByPage(t, providertest.AdaEmail, providertest.Password, ""))
		wantIn(t, b, "the owner", v.ByPage(t, providertest.AdaEmail, providertest.Password, ""))
	})
}

// Signing out, or ending all, leaves the cookie in place; only the next to sign in
// takes it over.
// SS-04: Attributes: HttpOnly, Secure, SameSite, Path, no Domain, Max-Age equal to the token's life.
func TestDevice_CookieOutlivesTheSession(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		v := b.Visitor(t)
		v.Arrive(t, providertest.Alice)
		device := v.Device(t)
		v.Submit(t, v.Get(t, b.Leave()).Form(t), "decision", "allow")
		v.WantSignedOut(t)
		if v.Device(t) != device {
			t.Error("the sign-out changed it")
		}
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		wantIn(t, b, "alice", v.ByPage(t, providertest.Alice, providertest.Password, ""))
		wantLocked(t, "bob", v.ByPage(t, "bob@example.com", providertest.Password, ""))
		b.Pass(15 * time.Minute)
		wantIn(t, b, "bob, after the window", v.ByPage(t, "bob@example.com", providertest.Password, ""))
		lockOut(t, b, providertest.Alice)
		lockOut(t, b, "bob@example.com")
		wantLocked(t, "alice, after bob", v.ByPage(t, providertest.Alice, providertest.Password, ""))
		wantIn(t, b, "bob", v.ByPage(t, "bob@example.com", providertest.Password, ""))
		if strings.Contains(v.Device(t), "bob") || strings.Contains(v.Device(t), "usr_") {
			t.Error("the cookie says in clear whose it is")
		}
	}, providertest.BehindProxy, providertest.IssuedBy(providertest.Secure))
}
