package interaction_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

const trustDays = 30 // of providertest.WithTrustedBrowsers

// trusting adds an authenticator app to alice's account, and signs her in with its code in a new
// browser, which she trusts. That browser is then signed out, so only its cookies are left.
func trusting(t *testing.T, b *providertest.Testbed) (v *providertest.Visitor, app providertest.Authenticator) {
	t.Helper()
	_, app = withFactor(t, b)
	v = b.Visitor(t).SetUserAgent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	page := askedForCode(t, v)
	page.WantText(t, "Trust this browser for 30 days")
	form := page.FormTo(t, "/login/factor", "", "")
	v.Allow(t, v.Submit(t, form, "code", app.Code(t, b.Now()), "trust", "on")).Code(t)
	signOut(t, v)
	b.Advance(time.Minute)
	return v, app
}

// signOut ends the session of the browser.
func signOut(t *testing.T, v *providertest.Visitor) {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+"/account/sessions")
	list := v.Bed.SessionsOf(t, v.Bed.Alice.ID)
	at := slices.IndexFunc(list, func(s storage.Session) bool {
		return strings.Contains(page.Body, `value="`+s.ID+`" aria-label="Sign out Firefox on Linux, this device"`)
	})
	if at < 0 {
		t.Fatalf("no session of this browser on the page:\n%s", page.Body)
	}
	v.Submit(t, page.FormTo(t, "/account/sessions/end", "sid", list[at].ID), "sid", list[at].ID)
	if v.Cookie(t, "signet") != nil {
		t.Fatal("still signed in")
	}
}

// signsIn signs a user in with the password, on the way to the application, and reports whether the
// page for the second factor comes next.
func signsIn(t *testing.T, v *providertest.Visitor, email string, pairs ...string) (asked bool, page providertest.Stop) {
	t.Helper()
	page = v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), email, providertest.Password)
	return page.At.Path == v.Bed.Path("/login/factor"), page
}

// The journey: in a trusted browser the password is enough, for 30 days, on the page and in the
// application's own form. The tokens say so. An act in the account still asks for the code.
func TestTrustedBrowser_PasswordIsEnough(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.Serve(t, providertest.WithTrustedBrowsers)
		b.RegisterApp(t)
		v, app := trusting(t, b)
		cookie := v.Cookie(t, "signet_trust")
		if cookie == nil || len(cookie.Value) != 43 {
			t.Fatalf("cookie %v, want one with 43 characters", cookie)
		}
		asked, page := signsIn(t, v, providertest.Alice)
		if asked {
			t.Fatal("the trusted browser is asked for the code")
		}
		claims := providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])
		if claims["acr"] != storage.ACROneFactor || !slices.Equal(textsOf(claims["amr"]), []string{"pwd"}) {
			t.Errorf("acr %v, amr %v: want one factor", claims["acr"], claims["amr"])
		}
		e := b.WantEvent(t, storage.UserSignedIn, b.Alice.ID)
		if e.Detail["trusted_browser"] != true {
			t.Errorf("event %+v does not tell of the trust", e)
		}
		// An act asks for both factors, and is then done.
		page = v.Get(t, b.Issuer+"/account/security/codes")
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		page.WantAt(t, "/login/factor?request="+url.QueryEscape(page.At.Query().Get("request")))
		v.EnterCode(t, page, app.Code(t, b.Now())).WantAt(t, "/account/security/codes")
		if list := b.SessionsOf(t, b.Alice.ID); list[0].ACR != storage.ACRTwoFactors || list[0].FactorSkipped {
			t.Errorf("session %+v, want one of two factors", list[0])
		}
		signOut(t, v)
		b.Advance(time.Minute)
		providertest.WantStatus(t, v.CallApp(t, "/login", `{"username":"`+providertest.Alice+`","password":"`+providertest.Password+`"}`), http.StatusOK)
		signOut(t, v)
		b.Advance(trustDays * 24 * time.Hour)
		if asked, _ := signsIn(t, v, providertest.Alice); !asked {
			t.Error("after 30 days the browser is still trusted")
		}
	})
}

// MF-15: a stolen, old, forged or foreign cookie does not replace the code, and nothing that asks for
// more than a sign-in accepts the trust.
func TestTrustedBrowser_Attacks(t *testing.T) {
	cookie := func(t *testing.T, from, to *providertest.Visitor, names ...string) {
		t.Helper()
		for _, name := range names {
			c := from.Cookie(t, name)
			if c == nil {
				t.Fatalf("no cookie %s", name)
			}
			to.SetCookie(name, c.Value)
		}
	}
	type attempt struct {
		v     *providertest.Visitor
		email string
		pairs []string
	}
	attacks := map[string]func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt{
		"stolen cookie in another browser": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			thief := b.Visitor(t)
			cookie(t, v, thief, "signet_trust")
			return attempt{v: thief}
		},
		"stolen cookie in another browser of the owner": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			other := b.Visitor(t)
			page := askedForCode(t, other)
			list, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
			if err != nil || page.StatusCode != http.StatusOK || !list.Any() {
				t.Fatal(err)
			}
			cookie(t, v, other, "signet_trust")
			return attempt{v: other}
		},
		"another user in the browser": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			bob := b.User(t, "bob@example.com", providertest.Password)
			own := b.Visitor(t)
			own.SignIn(t, own.Get(t, b.Issuer+"/account/security"), bob.Email, providertest.Password)
			own.AddAuthenticator(t)
			return attempt{v: v, email: bob.Email}
		},
		"owner after another user": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			bob := b.User(t, "bob@example.com", providertest.Password)
			v.SignIn(t, v.Get(t, b.Issuer+"/account"), bob.Email, providertest.Password)
			v.SetCookie("signet", "none") // bob's session is over
			return attempt{v: v}
		},
		"forged value": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			v.SetCookie("signet_trust", strings.Repeat("A", 43))
			return attempt{v: v}
		},
		"value of the row": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			v.SetCookie("signet_trust", storage.SecretHash(v.Cookie(t, "signet_trust").Value))
			return attempt{v: v}
		},
		"sealed device as value": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			v.SetCookie("signet_trust", v.Cookie(t, "signet_device").Value)
			return attempt{v: v}
		},
		"huge value": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			v.SetCookie("signet_trust", strings.Repeat("A", 2000))
			return attempt{v: v}
		},
		"after a change of the password": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			if _, err := b.DB.ResetPassword(t.Context(), storage.PasswordReset{UserID: b.Alice.ID, Hash: hashOf(t, b, b.Alice.Email)}, b.Now()); err != nil {
				t.Fatal(err)
			}
			return attempt{v: v}
		},
		"after signing out everywhere": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			if err := b.DB.SignOutEverywhere(t.Context(), b.Alice.ID, "asked", storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			return attempt{v: v}
		},
		"administrator": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			if _, err := b.DB.GrantAdmin(t.Context(), b.Alice.ID, storage.Administrator, storage.KeepAttached, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			return attempt{v: v}
		},
		"expired": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			b.Advance(trustDays * 24 * time.Hour)
			return attempt{v: v}
		},
		"setting is off again": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			b.Serve(t)
			return attempt{v: v}
		},
		"essential acr": func(_ *testing.T, _ *providertest.Testbed, v *providertest.Visitor) attempt {
			return attempt{v: v, pairs: []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:signet:2fa"]}}}`}}
		},
		"prompt=login": func(_ *testing.T, _ *providertest.Testbed, v *providertest.Visitor) attempt {
			return attempt{v: v, pairs: []string{"prompt", "login"}}
		},
		"max_age=0": func(_ *testing.T, _ *providertest.Testbed, v *providertest.Visitor) attempt {
			return attempt{v: v, pairs: []string{"max_age", "0"}}
		},
		"max_age in a session": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) attempt {
			if asked, _ := signsIn(t, v, providertest.Alice); asked {
				t.Fatal("asked")
			}
			b.Advance(time.Hour)
			return attempt{v: v, pairs: []string{"max_age", "60"}}
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				v, _ := trusting(t, b)
				a := attack(t, b, v)
				if a.email == "" {
					a.email = providertest.Alice
				}
				page := a.v.Get(t, b.AuthorizeURL(a.pairs...))
				page = a.v.SignIn(t, page, a.email, providertest.Password)
				if page.At.Path != "/login/factor" {
					t.Errorf("at %s, left to %v: want the page for the code", page.At, page.LeftTo)
				}
			}, providertest.WithTrustedBrowsers)
		})
	}
}

// A cookie of another instance opens nothing, even with the same user and the same device.
func TestTrustedBrowser_OfAnotherInstance(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := trusting(t, b)
		providertest.OnSQLite(t, func(t *testing.T, other *providertest.Testbed) {
			withFactor(t, other)
			victim := other.Visitor(t)
			victim.SetCookie("signet_trust", v.Cookie(t, "signet_trust").Value)
			victim.SetCookie("signet_device", v.Cookie(t, "signet_device").Value)
			askedForCode(t, victim)
		}, providertest.WithTrustedBrowsers)
	}, providertest.WithTrustedBrowsers)
}

// The page offers the trust only where the setting allows it, and never to administrators. A form
// that asks for it nevertheless gets none.
func TestTrustedBrowser_IsOfferedToSome(t *testing.T) {
	for name, c := range map[string]struct {
		options []providertest.Option
		admin   bool
	}{"setting off": {}, "administrator": {options: []providertest.Option{providertest.WithTrustedBrowsers}, admin: true}} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				_, app := withFactor(t, b)
				if c.admin {
					if _, err := b.DB.GrantAdmin(t.Context(), b.Alice.ID, storage.Administrator, storage.KeepAttached, storage.By{At: b.Now()}); err != nil {
						t.Fatal(err)
					}
				}
				v := b.Visitor(t)
				page := askedForCode(t, v)
				if strings.Contains(page.Body, `name="trust"`) {
					t.Error("the page offers the trust")
				}
				v.Allow(t, v.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, b.Now()), "trust", "on")).Code(t)
				if v.Cookie(t, "signet_trust") != nil {
					t.Error("the browser has the cookie")
				}
				if list, err := b.DB.TrustedBrowsersOf(t.Context(), b.Alice.ID, b.Now()); err != nil || len(list) != 0 {
					t.Errorf("browsers %+v, %v", list, err)
				}
			}, c.options...)
		})
	}
}

// The choice stays on the form after a wrong code, and a wrong code trusts nothing.
func TestTrustedBrowser_WrongCodeTrustsNothing(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		withFactor(t, b)
		v := b.Visitor(t)
		page := askedForCode(t, v)
		page = v.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", "000000", "trust", "on")
		page.WantPage(t, http.StatusUnprocessableEntity, "invalid_code")
		if !strings.Contains(page.Body, `name="trust" checked`) || v.Cookie(t, "signet_trust") != nil {
			t.Error("the choice is gone, or the browser is trusted")
		}
	}, providertest.WithTrustedBrowsers)
}

// A sign-in through an upstream accepts the trust too, and the user finds the browser on the page of
// the sessions and ends its trust there.
func TestTrustedBrowser_UpstreamAndEnd(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		owner := b.Visitor(t)
		owner.Account(t, "/account/identities")
		owner.Connect(t, "google", "ada")
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t).SetUserAgent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		page := v.AuthorizeThrough(t, "google", "ada")
		v.Allow(t, v.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", app.Code(t, b.Now()), "trust", "on")).Code(t)
		signOut(t, v)
		b.Advance(time.Minute)
		claims := providertest.ClaimsOf(t, b.Redeem(t, v.AuthorizeThrough(t, "google", "ada").Code(t))["id_token"])
		if claims["acr"] != storage.ACROneFactor || !slices.Equal(textsOf(claims["amr"]), []string{"fed"}) {
			t.Errorf("acr %v, amr %v", claims["acr"], claims["amr"])
		}
		page = v.Get(t, b.Issuer+"/account/sessions")
		page.WantText(t, "Trusted browsers", "Trusted until")
		form := page.FormTo(t, "/account/sessions/end-trust", "", "")
		list, err := b.DB.TrustedBrowsersOf(t.Context(), b.Alice.ID, b.Now())
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		v.Submit(t, form, "browser", "trb_other").WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, form, "browser", list[0].ID).WantText(t, "no longer trusted")
		v.Submit(t, form, "browser", list[0].ID).WantPage(t, http.StatusNotFound, "not_found")
		b.WantEvent(t, storage.BrowserTrustEnded, b.Alice.ID)
		if list := b.SessionsOf(t, b.Alice.ID); len(list) == 0 {
			t.Error("the end of the trust has ended the session")
		}
		signOut(t, v)
		if page := v.AuthorizeThrough(t, "google", "ada"); page.At.Path != "/login/factor" {
			t.Errorf("at %s, left to %v: want the page for the code", page.At, page.LeftTo)
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithTrustedBrowsers(c) })
}

// hashOf returns the stored hash of a user's password.
func hashOf(t *testing.T, b *providertest.Testbed, email string) string {
	t.Helper()
	_, hash, err := b.DB.UserByEmail(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
