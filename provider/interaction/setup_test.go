package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/interaction"
	"signet/storage"
)

// setupLink is what serve prints while there is no administrator.
func (b *testbed) setupLink(t *testing.T) string {
	t.Helper()
	link, hash := interaction.SetupLink(b.Issuer)
	if err := b.DB.OpenSetup(t.Context(), hash, b.now().Add(30*time.Minute), storage.By{From: storage.Origin{Actor: "system"}, At: b.now()}); err != nil {
		t.Fatal(err)
	}
	return link
}

func (v *visitor) setUp(t *testing.T, page stop, email, pass string) stop {
	t.Helper()
	return v.submit(t, page.form(t), "email", email, "name", "Root", "new-password", pass)
}

// PW-19.
func TestPW19_SetupLinkMakesOneAdministrator(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		link := b.setupLink(t)
		v, late := b.visitor(t), b.visitor(t)
		page, opened := v.get(t, link), late.get(t, link)
		if page.StatusCode != http.StatusOK {
			t.Fatalf("status %d:\n%s", page.StatusCode, page.Body)
		}
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}

		page = v.setUp(t, page, "root@example.com", "short")
		page.wantPage(t, http.StatusUnprocessableEntity, "weak_password")
		page.wantText(t, `value="root@example.com"`)
		page = v.setUp(t, page, "not an address", password)
		page.wantPage(t, http.StatusUnprocessableEntity, "invalid_email")
		page = v.setUp(t, page, strings.ToUpper(alice), password)
		page.wantPage(t, http.StatusConflict, "email_taken")

		page = v.setUp(t, page, "root@example.com", password)
		page.wantAt(t, "/admin") // signed in, and let in
		if page.StatusCode != http.StatusOK {
			t.Errorf("/admin answers %d", page.StatusCode)
		}
		root, _, err := b.DB.UserByEmail(t.Context(), "root@example.com")
		if err != nil || !root.Admin || root.Name != "Root" {
			t.Errorf("%+v, %v", root, err)
		}

		late.get(t, link).wantPage(t, http.StatusGone, "invalid_setup_link")
		late.setUp(t, opened, "late@example.com", password).wantPage(t, http.StatusGone, "invalid_setup_link")
		u, _ := url.Parse(link)
		if token := u.Query().Get("token"); len(token) < 50 || strings.Contains(b.Log.String(), token) {
			t.Errorf("the token %q is short, or in the log", token)
		}
	})
}

func TestSetup_RefusesWhatIsNoLink(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		link := b.setupLink(t)
		page := v.get(t, link)
		for _, wrong := range []string{"/setup", "/setup?token=", "/setup?token=GUESSED", "/setup?token=%00"} {
			v.get(t, b.Issuer+wrong).wantPage(t, http.StatusGone, "invalid_setup_link")
		}
		planted := page.form(t)
		planted.values.Set("token", "GUESSED")
		v.submit(t, planted, "email", "root@example.com", "new-password", password).wantPage(t, http.StatusGone, "invalid_setup_link")

		// From another site, even with the token.
		r := v.formRequest(t, page.form(t))
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		v.walk(t, r).wantPage(t, http.StatusForbidden, "cross_origin")

		// AD-04: what the page did not ask for.
		v.submit(t, page.form(t), "email", "root@example.com", "new-password", password, "email_verified", "true").
			wantPage(t, http.StatusBadRequest, "invalid_request")
		for _, name := range []string{strings.Repeat("x", 201), "ro\u202eot", "ro\x1b[2Jot"} {
			v.submit(t, page.form(t), "email", "root@example.com", "name", name, "new-password", password).
				wantPage(t, http.StatusUnprocessableEntity, "invalid_name")
		}

		b.pass(30 * time.Minute)
		v.get(t, link).wantPage(t, http.StatusGone, "invalid_setup_link")
		v.setUp(t, page, "root@example.com", password).wantPage(t, http.StatusGone, "invalid_setup_link")
		if _, _, err := b.DB.UserByEmail(context.Background(), "root@example.com"); err == nil {
			t.Error("a refused visitor is a user")
		}
	})
}

// Two first visitors, each with a link of another node, at once: one wins, the
// other is told so.
func TestPW19_TwoFirstVisitorsOnTwoNodes(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		type visit struct {
			v    *visitor
			page stop
		}
		var visits []visit
		for _, node := range []*testbed{b, b.node(t)} {
			v := node.visitor(t)
			visits = append(visits, visit{v, v.get(t, node.setupLink(t))})
		}
		statuses := make(chan int, len(visits))
		for i, one := range visits {
			f := one.page.form(t)
			f.values.Set("email", []string{"first@example.com", "second@example.com"}[i])
			f.values.Set("new-password", password)
			r := one.v.formRequest(t, f)
			go func() {
				answer, err := one.v.client.Do(r)
				if err != nil {
					statuses <- 0
					return
				}
				answer.Body.Close()
				statuses <- answer.StatusCode
			}()
		}
		got := map[int]int{<-statuses: 1}
		got[<-statuses]++
		if got[http.StatusOK] != 1 || got[http.StatusGone] != 1 {
			t.Errorf("statuses %v, want one 200 and one 410", got)
		}
		admins := 0
		users, err := b.DB.Users(t.Context(), storage.UserFilter{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if u.Admin {
				admins++
			}
		}
		if admins != 1 {
			t.Errorf("%d administrators, want 1", admins)
		}
	})
}
