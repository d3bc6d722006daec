package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/storage"
)

// account opens an account page, signing alice in if it is asked for.
func (v *visitor) account(t *testing.T, path string) stop {
	t.Helper()
	page := v.get(t, v.b.Issuer+path)
	if page.At.Path == v.b.path("/login") {
		page = v.signIn(t, page, alice, password)
	}
	if got := page.At.RequestURI(); got != v.b.path(path) || page.StatusCode != http.StatusOK {
		t.Fatalf("at %s with status %d, want %s:\n%s", got, page.StatusCode, path, page.Body)
	}
	return page
}

// formTo finds the form of a page that goes to this path and has this value for a
// button or field; name "" takes the first.
func (s stop) formTo(t *testing.T, path, name, value string) form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || !strings.HasSuffix(attr(n, "action"), path) {
			continue
		}
		action, err := s.At.Parse(attr(n, "action"))
		if err != nil {
			t.Fatal(err)
		}
		f := form{action.String(), url.Values{}}
		for c := range n.Descendants() {
			if c.Type == html.ElementNode && (c.Data == "input" || c.Data == "button") && attr(c, "name") != "" {
				f.values.Set(attr(c, "name"), attr(c, "value"))
			}
		}
		if name == "" || f.values.Get(name) == value {
			return f
		}
	}
	t.Fatalf("no form to %s with %s=%q on %s:\n%s", path, name, value, s.At.Path, s.Body)
	return form{}
}

func (s stop) wantText(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(s.Body, text) {
			t.Errorf("%s does not say %q:\n%s", s.At.Path, text, s.Body)
		}
	}
}

// wantAt wants the walk to have ended at this path with 200.
func (s stop) wantAt(t *testing.T, path string) {
	t.Helper()
	if s.Left != nil || s.StatusCode != http.StatusOK || s.At.RequestURI() != path {
		t.Fatalf("at %s (left to %v) with status %d, want %s:\n%s", s.At.RequestURI(), s.Left, s.StatusCode, path, s.Body)
	}
}

func (b *testbed) sessionsOf(t *testing.T, user string) []storage.Session {
	t.Helper()
	list, err := b.DB.SessionsOf(context.Background(), user, b.now())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// otherSession gives the one session of alice that is not among known.
func (b *testbed) otherSession(t *testing.T, known ...string) storage.Session {
	t.Helper()
	for _, s := range b.sessionsOf(t, b.Alice.ID) {
		if !slices.Contains(known, s.ID) {
			return s
		}
	}
	t.Fatal("no other session")
	return storage.Session{}
}

var accountPages = []string{
	"/account", "/account/profile", "/account/password", "/account/sessions", "/account/sessions/end-all", "/account/apps", "/account/identities",
}

func TestAccount_PagesNeedASessionAndComeBack(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		for _, path := range accountPages {
			v := b.visitor(t)
			a := v.fetch(t, b.Issuer+path)
			want := "/login?" + url.Values{"return_to": {path}}.Encode()
			if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
				t.Errorf("%s without a session: %d to %q, want 303 to %q", path, a.StatusCode, a.Header.Get("Location"), want)
			}
			v.account(t, path)
		}
	})
}

func TestAccount_ReturnToRespectsThePathOfTheIssuer(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		a := v.fetch(t, b.Issuer+"/account/sessions")
		if got, want := a.Header.Get("Location"), "/auth/login?return_to=%2Fauth%2Faccount%2Fsessions"; got != want {
			t.Fatalf("location: got %q, want %q", got, want)
		}
		page := v.account(t, "/account/profile")
		page = v.submit(t, page.formTo(t, "/account/profile", "", ""))
		page.wantAt(t, "/auth/account/profile?done=profile")
		b.pass(6 * time.Minute)
		page = v.get(t, b.Issuer+"/account/password")
		v.signIn(t, page, alice, password).wantAt(t, "/auth/account/password")
		root := strings.TrimSuffix(b.Issuer, "/auth")
		for _, at := range []string{root, b.Issuer} {
			if a := v.fetch(t, at+"/.well-known/change-password"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/auth/account/password" {
				t.Errorf("change-password at %s: %d to %q", at, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}, under("/auth"))
}

func TestAccount_WellKnownLeadsToThePassword(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		a := v.fetch(t, b.Issuer+"/.well-known/change-password")
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/account/password" {
			t.Fatalf("change-password: %d to %q, want 303 to /account/password", a.StatusCode, a.Header.Get("Location"))
		}
		// Password managers probe this one to learn whether 404 means anything.
		a = v.fetch(t, b.Issuer+"/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200")
		if a.StatusCode != http.StatusNotFound {
			t.Fatalf("unknown well-known: status %d, want 404", a.StatusCode)
		}
	})
}

func TestAccount_PagesAreNeitherStoredNorFramedNorShared(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		for _, path := range accountPages {
			r, err := http.NewRequest(http.MethodGet, b.Issuer+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "https://app.example.com")
			a := do(t, v.client, r)
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

func TestAccount_OverviewAndHomeLeadOn(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.visitor(t).flow(t)
		v := b.visitor(t)
		page := v.account(t, "/account")
		page.wantText(t, alice, "Alice Liddell", "You are signed in in 2 browsers.", "One has access", `href="/end_session"`)
		v.get(t, b.Issuer+"/").wantText(t, `id="account" href="/account"`)
	})
}

// TestSS10_AccountFormsWantTheirOwnTicket takes every form of the account through
// every wrong ticket; nothing may change.
func TestSS10_AccountFormsWantTheirOwnTicket(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, other := b.visitor(t), b.visitor(t)
		v.flow(t)
		v.account(t, "/account")
		mine := b.otherSession(t)
		other.account(t, "/account")
		theirs := b.otherSession(t, mine.ID)
		forms := func(v *visitor) []form {
			sessions := v.account(t, "/account/sessions")
			return []form{
				v.account(t, "/account/profile").formTo(t, "/account/profile", "", ""),
				v.account(t, "/account/password").formTo(t, "/account/password", "", ""),
				sessions.formTo(t, "/account/sessions/end", "sid", theirs.ID),
				sessions.formTo(t, "/account/sessions/end-others", "", ""),
				v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", ""),
				v.account(t, "/account/apps/withdraw?client_id=app").formTo(t, "/account/apps/withdraw", "", ""),
			}
		}
		own, foreign := forms(v), forms(other)
		for i, f := range own {
			next := own[(i+1)%len(own)].values.Get("ticket")
			for what, ticket := range map[string]string{
				"none": "", "another session's": foreign[i].values.Get("ticket"), "another form's": next, "broken": f.values.Get("ticket") + "x",
			} {
				t.Run(strings.TrimPrefix(f.action, b.Issuer)+"/"+what, func(t *testing.T) {
					try := form{f.action, url.Values{}}
					for name := range f.values {
						try.values.Set(name, f.values.Get(name))
					}
					try.values.Set("ticket", ticket)
					if try.values.Has("new-password") {
						try.values.Set("current-password", password)
						try.values.Set("new-password", "another long password")
					}
					v.submit(t, try).wantPage(t, http.StatusConflict, "stale_form")
				})
			}
			t.Run(strings.TrimPrefix(f.action, b.Issuer)+"/too old", func(t *testing.T) {
				b.pass(31 * time.Minute)
				defer b.pass(-31 * time.Minute)
				v.submit(t, f).wantPage(t, http.StatusConflict, "stale_form")
			})
		}
		if got := len(b.sessionsOf(t, b.Alice.ID)); got != 2 {
			t.Errorf("%d sessions are left, want 2", got)
		}
		v.account(t, "/account/apps").wantText(t, "App app")
		b.visitor(t).account(t, "/account") // the password is what it was
	})
}

// TestSS07_AccountFormsRefuseOtherSites posts every form as another site would
// make a browser do it, with the right ticket.
func TestSS07_AccountFormsRefuseOtherSites(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		f := v.account(t, "/account/sessions/end-all").formTo(t, "/account/sessions/end-all", "", "")
		for _, path := range []string{"/account/profile", "/account/password", "/account/sessions/end", "/account/sessions/end-others", "/account/sessions/end-all", "/account/apps/withdraw"} {
			for name, headers := range map[string][2]string{
				"cross-site": {"cross-site", "https://evil.example"}, "same-site": {"same-site", "https://evil.example.com"},
				"old engine": {"", "https://evil.example"}, "null": {"", "null"},
			} {
				f.action = b.Issuer + path
				r := v.formRequest(t, f)
				r.Header.Del("Sec-Fetch-Site")
				if headers[0] != "" {
					r.Header.Set("Sec-Fetch-Site", headers[0])
				}
				r.Header.Set("Origin", headers[1])
				if a := do(t, v.client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s from %s: status %d, want 403", path, name, a.StatusCode)
				}
			}
		}
		if got := len(b.sessionsOf(t, b.Alice.ID)); got != 1 {
			t.Errorf("%d sessions are left, want 1", got)
		}
	})
}

// The address cannot say where to go
// after a step-up, nor what a page claims to have done.
func TestHT10_AccountAddressSaysNothing(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account")
		b.pass(6 * time.Minute)
		page := v.get(t, b.Issuer+"/account/password?return_to=//evil.example&path=https://evil.example&done=Call+555+0100")
		page = v.signIn(t, page, alice, password)
		page.wantAt(t, "/account/password")
		page = v.get(t, b.Issuer+"/account/profile?done=Call+555+0100")
		if strings.Contains(page.Body, "555") || strings.Contains(page.Body, `role="status"`) {
			t.Error("the address decides what the page says")
		}
	})
}

func TestAccount_FormAfterTheSessionEndedLeadsToSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		f := v.account(t, "/account/profile").formTo(t, "/account/profile", "", "")
		err := b.DB.EndSession(context.Background(), b.Alice.ID, b.otherSession(t).ID, "admin", storage.By{At: b.now()})
		if err != nil {
			t.Fatal(err)
		}
		page := v.submit(t, f, "name", "Mallory")
		if page.At.Path != "/login" {
			t.Fatalf("at %s, want the sign-in page", page.At)
		}
		page = v.signIn(t, page, alice, password)
		page.wantAt(t, "/account/profile")
		page.wantText(t, `value="Alice Liddell"`)
	})
}

func TestAccount_DatabaseGoneIsNoSignOut(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		f := v.account(t, "/account/profile").formTo(t, "/account/profile", "", "")
		if err := b.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for _, page := range []stop{v.get(t, b.Issuer+"/account"), v.submit(t, f)} {
			page.wantPage(t, http.StatusServiceUnavailable, "temporarily_unavailable")
		}
	})
}

// disable is an operator's act between two steps of a person.
func (b *testbed) disable(t *testing.T, user string) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), user, false, storage.By{At: b.now()}); err != nil {
		t.Fatal(err)
	}
}

func TestAccount_DisabledUserSeesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		f := v.account(t, "/account/profile").formTo(t, "/account/profile", "", "")
		b.disable(t, b.Alice.ID)
		if page := v.submit(t, f, "name", "Mallory"); page.At.Path != "/login" {
			t.Fatalf("at %s, want the sign-in page", page.At)
		}
		user, err := b.DB.User(context.Background(), b.Alice.ID)
		if err != nil || user.Name != "Alice Liddell" {
			t.Fatalf("user %+v, %v: want it unchanged", user, err)
		}
	})
}
