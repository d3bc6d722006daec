package account_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// otherSession returns the session of alice that is not in known.
func otherSession(t *testing.T, b *providertest.Testbed, known ...string) storage.Session {
	t.Helper()
	for _, s := range b.SessionsOf(t, b.Alice.ID) {
		if !slices.Contains(known, s.ID) {
			return s
		}
	}
	t.Fatal("no other session")
	return storage.Session{}
}

func TestAccount_PagesNeedSession(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, path := range providertest.Pages(t, "/account") {
			v := b.Visitor(t)
			a := v.Fetch(t, b.Issuer+path)
			want := "/login?" + url.Values{"return_to": {path}}.Encode()
			if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
				t.Errorf("%s without a session: %d to %q, want 303 to %q", path, a.StatusCode, a.Header.Get("Location"), want)
			}
			v.Account(t, path)
		}
	})
}

func TestAccount_ReturnToKeepsIssuerPath(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		a := v.Fetch(t, b.Issuer+"/account/sessions")
		if got, want := a.Header.Get("Location"), "/auth/login?return_to=%2Fauth%2Faccount%2Fsessions"; got != want {
			t.Fatalf("location: got %q, want %q", got, want)
		}
		page := v.Account(t, "/account/profile")
		page = v.Submit(t, page.FormTo(t, "/account/profile", "", ""))
		page.WantAt(t, "/auth/account/profile?done=profile")
		b.Advance(6 * time.Minute)
		page = v.Get(t, b.Issuer+"/account/password")
		v.SignIn(t, page, providertest.Alice, providertest.Password).WantAt(t, "/auth/account/password")
		root := strings.TrimSuffix(b.Issuer, "/auth")
		for _, at := range []string{root, b.Issuer} {
			if a := v.Fetch(t, at+"/.well-known/change-password"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/auth/account/password" {
				t.Errorf("change-password at %s: %d to %q", at, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}, providertest.WithIssuerPath("/auth"))
}

func TestAccount_WellKnownRedirectsToPasswordPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		a := v.Fetch(t, b.Issuer+"/.well-known/change-password")
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/account/password" {
			t.Fatalf("change-password: %d to %q, want 303 to /account/password", a.StatusCode, a.Header.Get("Location"))
		}
		// Password managers request this path to find out whether the server sends 404.
		a = v.Fetch(t, b.Issuer+"/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200")
		if a.StatusCode != http.StatusNotFound {
			t.Fatalf("unknown well-known: status %d, want 404", a.StatusCode)
		}
	})
}

func TestAccount_PagesForbidCachingFramingAndCORS(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		for _, path := range providertest.Pages(t, "/account") {
			r, err := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "https://app.example.com")
			a := providertest.Do(t, v.Client, r)
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s: Cache-Control %q, want no-store", path, got)
			}
			csp := a.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("%s: policy %q lacks %s", path, csp, want)
				}
			}
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: has %s", path, name)
				}
			}
		}
	})
}

func TestAccount_OverviewAndHomeHaveLinks(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.Visitor(t).SignInForCode(t)
		v := b.Visitor(t)
		page := v.Account(t, "/account")
		page.WantText(t, providertest.Alice, "Alice Liddell", "2 browsers are signed in to your account.", "1 application has access", `href="/end_session"`)
		v.Get(t, b.Issuer+"/").WantText(t, `id="account" href="/account"`)
	})
}

// Every form is sent with each kind of wrong ticket. Nothing may change.
// SS-10: A form ticket of another session, or an old one, is refused.
func TestAccount_FormsNeedOwnTicket(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, other := b.Visitor(t), b.Visitor(t)
		v.SignInForCode(t)
		v.Account(t, "/account")
		mine := otherSession(t, b)
		other.Account(t, "/account")
		theirs := otherSession(t, b, mine.ID)
		forms := func(v *providertest.Visitor) []providertest.Form {
			sessions := v.Account(t, "/account/sessions")
			return []providertest.Form{
				v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", ""),
				v.Account(t, "/account/password").FormTo(t, "/account/password", "", ""),
				sessions.FormTo(t, "/account/sessions/end", "sid", theirs.ID),
				sessions.FormTo(t, "/account/sessions/end-others", "", ""),
				v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", ""),
				v.Account(t, "/account/apps/withdraw?client_id=app").FormTo(t, "/account/apps/withdraw", "", ""),
			}
		}
		own, foreign := forms(v), forms(other)
		for i, f := range own {
			next := own[(i+1)%len(own)].Values.Get("ticket")
			for name, ticket := range map[string]string{
				"none": "", "another session's": foreign[i].Values.Get("ticket"), "another form's": next, "broken": f.Values.Get("ticket") + "x",
			} {
				t.Run(strings.TrimPrefix(f.Action, b.Issuer)+"/"+name, func(t *testing.T) {
					try := providertest.Form{Action: f.Action, Values: url.Values{}}
					for name := range f.Values {
						try.Values.Set(name, f.Values.Get(name))
					}
					try.Values.Set("ticket", ticket)
					if try.Values.Has("new-password") {
						try.Values.Set("current-password", providertest.Password)
						try.Values.Set("new-password", "another long password")
					}
					v.Submit(t, try).WantPage(t, http.StatusConflict, "stale_form")
				})
			}
			t.Run(strings.TrimPrefix(f.Action, b.Issuer)+"/too old", func(t *testing.T) {
				b.Advance(31 * time.Minute)
				defer b.Advance(-31 * time.Minute)
				v.Submit(t, f).WantPage(t, http.StatusConflict, "stale_form")
			})
		}
		if got := len(b.SessionsOf(t, b.Alice.ID)); got != 2 {
			t.Errorf("%d sessions are left, want 2", got)
		}
		v.Account(t, "/account/apps").WantText(t, "App app")
		b.Visitor(t).Account(t, "/account") // the password has not changed
	})
}

// Every form is posted as from another site, with the right ticket.
// SS-07: Forms from a sibling host of the same site are refused too.
func TestAccount_FormsRefuseOtherSites(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f := v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", "")
		for _, path := range []string{"/account/profile", "/account/password", "/account/sessions/end", "/account/sessions/end-others", "/account/sessions/end-trust", "/account/sessions/end-all", "/account/apps/withdraw"} {
			for name, headers := range map[string][2]string{
				"cross-site": {"cross-site", "https://evil.example"}, "same-site": {"same-site", "https://evil.example.com"},
				"old engine": {"", "https://evil.example"}, "null": {"", "null"},
			} {
				f.Action = b.Issuer + path
				r := v.FormRequest(t, f)
				r.Header.Del("Sec-Fetch-Site")
				if headers[0] != "" {
					r.Header.Set("Sec-Fetch-Site", headers[0])
				}
				r.Header.Set("Origin", headers[1])
				if a := providertest.Do(t, v.Client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s from %s: status %d, want 403", path, name, a.StatusCode)
				}
			}
		}
		if got := len(b.SessionsOf(t, b.Alice.ID)); got != 1 {
			t.Errorf("%d sessions are left, want 1", got)
		}
	})
}

// The query of an address can choose neither the page after a step-up nor the confirmation
// on a page.
// HT-10: `return_to` and similar parameters never lead to another host.
func TestAccount_AddressCannotChooseTargetOrText(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		b.Advance(6 * time.Minute)
		page := v.Get(t, b.Issuer+"/account/password?return_to=//evil.example&path=https://evil.example&done=Call+555+0100")
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		page.WantAt(t, "/account/password")
		page = v.Get(t, b.Issuer+"/account/profile?done=Call+555+0100")
		if strings.Contains(page.Body, "Call 555") || strings.Contains(page.Body, `role="status"`) {
			t.Error("the page shows text from its address")
		}
	})
}

func TestAccount_FormAfterSessionEndLeadsToSignIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f := v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", "")
		err := b.DB.EndSession(context.Background(), b.Alice.ID, otherSession(t, b).ID, "admin", storage.By{At: b.Now()})
		if err != nil {
			t.Fatal(err)
		}
		page := v.Submit(t, f, "name", "Mallory")
		if page.At.Path != "/login" {
			t.Fatalf("at %s, want the sign-in page", page.At)
		}
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
		page.WantAt(t, "/account/profile")
		page.WantText(t, `value="Alice Liddell"`)
	})
}

func TestAccount_UnavailableDatabaseDoesNotSignOut(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f := v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", "")
		if err := b.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for _, page := range []providertest.Stop{v.Get(t, b.Issuer+"/account"), v.Submit(t, f)} {
			page.WantPage(t, http.StatusServiceUnavailable, "temporarily_unavailable")
		}
	})
}

func TestAccount_DisabledUserMustSignIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		f := v.Account(t, "/account/profile").FormTo(t, "/account/profile", "", "")
		b.DisableUser(t, b.Alice.ID)
		if page := v.Submit(t, f, "name", "Mallory"); page.At.Path != "/login" {
			t.Fatalf("at %s, want the sign-in page", page.At)
		}
		user, err := b.DB.User(context.Background(), b.Alice.ID)
		if err != nil || user.Name != "Alice Liddell" {
			t.Fatalf("user %+v, %v: want it unchanged", user, err)
		}
	})
}
