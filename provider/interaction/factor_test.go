package interaction_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// withFactor adds an authenticator app to alice's account and returns it. Her browser of that
// moment is v.
func withFactor(t *testing.T, b *providertest.Testbed) (v *providertest.Visitor, app providertest.Authenticator) {
	t.Helper()
	v = b.Visitor(t)
	v.Account(t, "/account/security")
	return v, v.AddAuthenticator(t)
}

// askedForCode signs alice in with her password and returns the page that asks for a code.
func askedForCode(t *testing.T, v *providertest.Visitor, pairs ...string) providertest.Stop {
	t.Helper()
	page := v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), providertest.Alice, providertest.Password)
	if page.At.Path != v.Bed.Path("/login/factor") || page.StatusCode != http.StatusOK {
		t.Fatalf("at %s, left to %v, status %d, want the page for the code:\n%s", page.At, page.LeftTo, page.StatusCode, page.Body)
	}
	return page
}

// The journey: password, code, application. The tokens tell of both factors.
// MF-16: acr and amr come from the proofs that were given.
func TestFactor_PasswordAndCodeSignIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		_, app := withFactor(t, b)
		v := b.Visitor(t)
		page := askedForCode(t, v, "claims", `{"id_token":{"acr":{"essential":true,"values":["urn:signet:2fa"]}}}`)
		page.WantText(t, providertest.Alice, "Enter your code")
		from := b.Now().Unix()
		consent := v.EnterCode(t, page, app.Code(t, b.Now()))
		until := b.Now().Unix()
		tokens := b.Redeem(t, v.Allow(t, consent).Code(t))
		for _, kind := range []string{"id_token", "access_token"} {
			claims := providertest.ClaimsOf(t, tokens[kind])
			at := providertest.NumberOf(t, claims["auth_time"])
			if claims["acr"] != storage.ACRTwoFactors || !slices.Equal(textsOf(claims["amr"]), []string{"pwd", "otp", "mfa"}) || at < from || at > until {
				t.Errorf("%s: acr %v, amr %v, auth_time %v", kind, claims["acr"], claims["amr"], claims["auth_time"])
			}
		}
		if v.Cookie(t, "signet_factor") != nil {
			t.Error("the half sign-in is still in the browser")
		}
		// A recovery code works once instead, in the same field, and amr names no code of an app.
		b.Advance(time.Minute)
		again := b.Visitor(t)
		page = askedForCode(t, again)
		page = again.Get(t, page.Link(t, "switch"))
		page.WantText(t, "Recovery code")
		tokens = b.Redeem(t, again.EnterCode(t, page, strings.ToUpper(app.Codes[3])).Code(t))
		if claims := providertest.ClaimsOf(t, tokens["id_token"]); !slices.Equal(textsOf(claims["amr"]), []string{"pwd", "mfa"}) || claims["acr"] != storage.ACRTwoFactors {
			t.Errorf("with a recovery code: acr %v, amr %v", claims["acr"], claims["amr"])
		}
		third := b.Visitor(t)
		page = third.EnterCode(t, askedForCode(t, third), app.Codes[3])
		page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		b.WantEvent(t, storage.RecoveryCodeUsed, b.Alice.ID)
	})
}

// MF-04: the cookie of a half sign-in opens nothing: no page, no call of the app, no other request.
func TestFactor_HalfSignInOpensNothing(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterApp(t)
		_, app := withFactor(t, b)
		v := b.Visitor(t)
		page := askedForCode(t, v)
		if v.Cookie(t, "signet") != nil {
			t.Error("the browser has a session")
		}
		v.WantApp(t, false)
		providertest.WantAppError(t, v.CallApp(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
		for _, path := range []string{"/account", "/account/security", "/account/security/totp/remove", "/admin"} {
			if s := v.Get(t, b.Issuer+path); s.At.Path != "/login" {
				t.Errorf("%s opens at %s", path, s.At)
			}
		}
		next := b.Issuer + "/authorize/next?" + url.Values{"request": {page.At.Query().Get("request")}}.Encode()
		if s := v.Get(t, next); s.At.Path != "/login" || s.LeftTo != nil {
			t.Errorf("the request goes on at %s, left to %v", s.At, s.LeftTo)
		}
		// For another request, the half sign-in does not count.
		other := v.Get(t, b.AuthorizeURL()).At.Query().Get("request")
		if s := v.Get(t, b.Issuer+"/login/factor?"+url.Values{"request": {other}}.Encode()); s.At.Path != "/login" {
			t.Errorf("another request is at %s", s.At)
		}
		crossed := page.FormTo(t, "/login/factor", "", "")
		crossed.Values.Set("request", other)
		wantSignInAgain(t, v.Submit(t, crossed, "code", app.Code(t, b.Now())))
		// In another browser, its form does not count.
		stranger := b.Visitor(t)
		stranger.Get(t, b.AuthorizeURL())
		wantSignInAgain(t, stranger.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, b.Now())))
		v.Allow(t, v.EnterCode(t, page, app.Code(t, b.Now()))).Code(t)
		// After ten minutes it has expired.
		late := b.Visitor(t)
		page = askedForCode(t, late)
		b.Advance(10 * time.Minute)
		wantSignInAgain(t, late.EnterCode(t, page, app.Code(t, b.Now())))
	})
}

// wantSignInAgain checks that the sign-in page says why the person must begin again.
func wantSignInAgain(t *testing.T, s providertest.Stop) {
	t.Helper()
	if s.StatusCode != http.StatusConflict || s.LeftTo != nil {
		t.Errorf("status %d, left to %v", s.StatusCode, s.LeftTo)
	}
	s.WantText(t, "waited too long for your code", `id="username"`)
}

// A change of the account between the two proofs ends the half sign-in.
func TestFactor_ChangeOfTheAccountEndsTheHalfSignIn(t *testing.T) {
	changes := map[string]func(*testing.T, *providertest.Testbed){
		"disabled": func(t *testing.T, b *providertest.Testbed) { b.DisableUser(t, b.Alice.ID) },
		"signed out": func(t *testing.T, b *providertest.Testbed) {
			if err := b.DB.SignOutEverywhere(t.Context(), b.Alice.ID, "asked", storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"reset": func(t *testing.T, b *providertest.Testbed) {
			if _, err := b.DB.ResetFactors(t.Context(), storage.FactorReset{UserID: b.Alice.ID}, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				_, app := withFactor(t, b)
				v := b.Visitor(t)
				page := askedForCode(t, v)
				change(t, b)
				wantSignInAgain(t, v.EnterCode(t, page, app.Code(t, b.Now())))
				if s := v.Get(t, page.At.String()); s.At.Path != "/login" {
					t.Errorf("the page for the code still opens, at %s", s.At)
				}
			})
		})
	}
}

// MF-02, MF-03: wrong codes are counted for the user, however many browsers and sign-ins send them.
// A browser that the user knows has a count of its own, so the owner still gets in there.
func TestFactor_WrongCodesAreCountedForTheUser(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, func(c *provider.Config) { c.RateLimits = credential.Limits{Account: 6, Network: 1000} })
		owner, app := withFactor(t, b)
		wrong := wrongCode(t, app, b.Now())
		for i := range 4 {
			v := b.Visitor(t)
			page := v.EnterCode(t, askedForCode(t, v), wrong)
			page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
			if i == 0 && strings.Contains(page.Body, `id="clock"`) {
				t.Error("the page speaks of the clock after one wrong code")
			}
		}
		v := b.Visitor(t)
		page := askedForCode(t, v)
		for range 2 {
			page = v.EnterCode(t, page, wrong)
		}
		page.WantText(t, `id="clock"`)
		v.EnterCode(t, page, app.Code(t, b.Now())).WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		v.EnterCode(t, page, app.Codes[0]).WantPage(t, http.StatusTooManyRequests, "too_many_attempts")
		if got := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); got != 6 {
			t.Errorf("%d events of wrong codes, want 6", got)
		}
		page = owner.SignIn(t, owner.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, providertest.Password)
		owner.Allow(t, owner.EnterCode(t, page, app.Code(t, b.Now()))).Code(t)
		// Malformed codes are no guesses.
		b.Advance(16 * time.Minute)
		for _, text := range []string{"", "12345", strings.Repeat("9", 5000), "abc", "1234567"} {
			page = v.EnterCode(t, askedForCode(t, v), text)
			page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		}
		v.EnterCode(t, page, app.Code(t, b.Now())).Code(t)
	})
}

// MF-02, MF-03: a person who knows the password tries codes in very many browsers, each of which begins
// sign-ins anew. With the default limits, twenty of the codes are compared in fifteen minutes, over all
// nodes; no sign-in and no correct password starts a new count. Meanwhile the owner gets in with a known
// browser. `make soak` sends ten thousand codes, CI a hundred and twenty.
func TestFactor_StormOfWrongCodes(t *testing.T) {
	browsers := 12
	if os.Getenv("SIGNET_SOAK") != "" {
		browsers = 1000
	}
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, func(c *provider.Config) { c.RateLimits = credential.Limits{Account: 20, Network: 100000} })
		nodes := []*providertest.Testbed{b, b.Node(t)}
		owner, app := withFactor(t, b)
		compared, stopped := 0, 0
		for round := range 2 {
			for i := range browsers / 2 {
				v := nodes[i%2].Visitor(t)
				for range 2 { // sign-ins
					page := askedForCode(t, v)
					for range 5 {
						switch page = v.EnterCode(t, page, wrongCode(t, app, b.Now())); page.StatusCode {
						case http.StatusUnprocessableEntity:
							compared++
						case http.StatusTooManyRequests:
							stopped++
						default:
							t.Fatalf("status %d at %s", page.StatusCode, page.At)
						}
					}
					v.WantNoSession(t)
				}
			}
			if want := 20 * (round + 1); compared != want || compared+stopped != (round+1)*browsers*5 {
				t.Errorf("%d codes were compared and %d stopped, want %d and the rest", compared, stopped, want)
			}
			if got := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); got > compared {
				t.Errorf("%d events of %d wrong codes", got, compared)
			}
			page := owner.SignIn(t, owner.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, providertest.Password)
			owner.AnswerPages(t, owner.EnterCode(t, page, app.Code(t, b.Now()))).Code(t)
			b.Advance(16 * time.Minute)
		}
	})
}

// wrongCode returns a code that the app does not show at this time.
func wrongCode(t *testing.T, app providertest.Authenticator, at time.Time) string {
	t.Helper()
	right := []string{app.Code(t, at.Add(-30*time.Second)), app.Code(t, at), app.Code(t, at.Add(30*time.Second))}
	for _, code := range []string{"000000", "111111", "222222"} {
		if !slices.Contains(right, code) {
			return code
		}
	}
	return "333333"
}

// A phone whose clock is one step off signs in. If it is ten steps off, its codes are refused, and the
// second refusal says that the clock may be the reason; so it does not for a recovery code.
func TestFactor_ClockOfThePhone(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		_, app := withFactor(t, b)
		for _, off := range []time.Duration{-10 * 30 * time.Second, 10 * 30 * time.Second} {
			v := b.Visitor(t)
			page := askedForCode(t, v)
			for _, hint := range []bool{false, true} {
				page = v.EnterCode(t, page, app.Code(t, b.Now().Add(off)))
				page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
				if got := strings.Contains(page.Body, `id="clock"`); got != hint {
					t.Errorf("%v off: the page speaks of the clock: %v, want %v", off, got, hint)
				}
			}
		}
		for _, off := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
			b.Advance(2 * time.Minute)
			v := b.Visitor(t)
			v.AnswerPages(t, v.EnterCode(t, askedForCode(t, v), app.Code(t, b.Now().Add(off)))).Code(t)
		}
	})
}

// MF-01: the code of an app is accepted once, and one step before and after.
func TestFactor_CodeIsUsedOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		_, app := withFactor(t, b)
		code := app.Code(t, b.Now().Add(30*time.Second)) // the clock of the phone is fast
		v, thief := b.Visitor(t), b.Visitor(t)
		stolen := askedForCode(t, thief)
		v.Allow(t, v.EnterCode(t, askedForCode(t, v), code)).Code(t)
		for range 2 {
			thief.EnterCode(t, stolen, code).WantPage(t, http.StatusUnprocessableEntity, "code_used")
			b.Advance(30 * time.Second)
		}
		thief.EnterCode(t, stolen, app.Code(t, b.Now().Add(-5*time.Minute))).WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
	})
}

// With a new proof of a signed-in user, both factors are asked for, and the session keeps its ID.
func TestFactor_NewProofAsksForBothFactors(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, app := withFactor(t, b)
		before := b.SessionsOf(t, b.Alice.ID)[0].ID
		b.Advance(10 * time.Minute)
		page := v.Get(t, b.Issuer+"/account/security/codes")
		page.WantText(t, "Confirm it’s you before you change your second factors")
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		if page.At.Path != "/login/factor" {
			t.Fatalf("at %s", page.At)
		}
		v.EnterCode(t, page, app.Code(t, b.Now())).WantAt(t, "/account/security/codes")
		after := b.SessionsOf(t, b.Alice.ID)
		if len(after) != 1 || after[0].ID != before || after[0].ACR != storage.ACRTwoFactors {
			t.Errorf("sessions %+v, want only %s with two factors", after, before)
		}
	})
}

// A sign-in through an upstream asks for the second factor too.
// FD-23: an upstream does not stand for the second factor (authentik CVE-2025-53942).
func TestFactor_UpstreamsAskToo(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		v.Connect(t, "google", "ada")
		app := v.AddAuthenticator(t)
		fresh := b.Visitor(t)
		page := fresh.AuthorizeThrough(t, "google", "ada")
		if page.At.Path != "/login/factor" || fresh.Cookie(t, "signet") != nil {
			t.Fatalf("at %s, left to %v", page.At, page.LeftTo)
		}
		tokens := b.Redeem(t, fresh.Allow(t, fresh.EnterCode(t, page, app.Code(t, b.Now()))).Code(t))
		claims := providertest.ClaimsOf(t, tokens["id_token"])
		if claims["sub"] != b.Alice.ID || claims["acr"] != storage.ACRTwoFactors || !slices.Equal(textsOf(claims["amr"]), []string{"fed", "otp", "mfa"}) {
			t.Errorf("sub %v, acr %v, amr %v", claims["sub"], claims["acr"], claims["amr"])
		}
		for _, s := range b.SessionsOf(t, b.Alice.ID) {
			if s.ACR != storage.ACRTwoFactors {
				t.Errorf("session %+v", s)
			}
		}
		// Disconnecting the identity between the two proofs ends the half sign-in.
		b.Advance(time.Minute)
		late := b.Visitor(t)
		page = late.AuthorizeThrough(t, "google", "ada")
		list, err := b.DB.IdentitiesOf(t.Context(), b.Alice.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("identities %+v, %v", list, err)
		}
		if err := b.DB.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: list[0], Connectors: []string{"google"}}, b.Now()); err != nil {
			t.Fatal(err)
		}
		wantSignInAgain(t, late.EnterCode(t, page, app.Code(t, b.Now())))
	})
}

// An upstream that links by a verified address links nothing to an account with a second factor:
// the person proves the account with both factors and is then asked.
func TestFactor_UpstreamAloneLinksNothing(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		owner := b.Visitor(t)
		ada := b.CreateUser(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true}, providertest.Password)
		owner.SignIn(t, owner.Get(t, b.Issuer+"/account/security"), ada.Email, providertest.Password)
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t)
		page := v.AuthorizeThrough(t, "google", "ada")
		if page.At.Path != "/login/link" {
			t.Fatalf("at %s, left to %v:\n%s", page.At, page.LeftTo, page.Body)
		}
		identities := func() int {
			list, err := b.DB.IdentitiesOf(t.Context(), ada.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if n := identities(); n != 0 {
			t.Fatalf("%d identities are linked", n)
		}
		page = v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password)
		if page.At.Path != "/login/factor" || identities() != 0 {
			t.Fatalf("at %s", page.At)
		}
		page = v.EnterCode(t, page, app.Code(t, b.Now()))
		if page.At.Path != "/login/link" || identities() != 0 {
			t.Fatalf("at %s:\n%s", page.At, page.Body)
		}
		v.Submit(t, page.FormTo(t, "/login/link/confirm", "", ""), "decision", "connect")
		if n := identities(); n != 1 {
			t.Errorf("%d identities are linked, want 1", n)
		}
	}, providertest.ChangeConnector("google", func(c *provider.Connector) { c.AutoLink = true }))
}

// A link of an administrator who lost the password does not replace the second factor.
func TestFactor_EmergencyLinkAsksForIt(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		root := b.Visitor(t)
		setUp(t, root, root.Get(t, setupLink(t, b)), "root@example.com", providertest.Password).WantAt(t, "/admin")
		user, verified := b.UserByEmail(t, "root@example.com"), true
		_, err := b.DB.ReviseUser(t.Context(), storage.UserRevision{UserID: user.ID, Verified: &verified, Unproven: storage.KeepAttached, Revise: func(*storage.User) error { return nil }}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		app := root.AddAuthenticator(t)
		v := b.Visitor(t)
		page := v.Get(t, emergencyLink(t, b, user.ID))
		page = v.Submit(t, page.FormTo(t, "/setup", "", ""), "new-password", providertest.NewPassword)
		if page.At.Path != "/login/factor" {
			t.Fatalf("at %s, status %d:\n%s", page.At, page.StatusCode, page.Body)
		}
		v.EnterCode(t, page, app.Code(t, b.Now())).WantAt(t, "/admin")
	})
}

// MN-01: the same code in many browsers at once, on two nodes, signs in once.
func TestFactor_CodeRace(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, func(c *provider.Config) { c.RateLimits = credential.Limits{Account: 100, Network: 1000} })
		_, app := withFactor(t, b)
		for name, code := range map[string]string{"app": app.Code(t, b.Now()), "recovery": app.Codes[7]} {
			const n = 12
			browsers, pages := make([]*providertest.Visitor, n), make([]providertest.Stop, n)
			for i := range n {
				browsers[i] = b.Visitor(t)
				pages[i] = askedForCode(t, browsers[i])
			}
			before := len(b.SessionsOf(t, b.Alice.ID))
			codes := make([]string, n)
			providertest.Race(n, func(i int) {
				s := browsers[i].EnterCode(t, pages[i], code)
				codes[i] = fmt.Sprint(s.StatusCode)
			})
			slices.Sort(codes)
			if got := len(b.SessionsOf(t, b.Alice.ID)) - before; got != 1 || codes[1] != "422" {
				t.Errorf("%s: %d sessions, answers %v; want one", name, got, codes)
			}
		}
	})
}
