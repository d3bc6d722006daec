package interaction_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/interaction"
	"signet/provider/providertest"
	"signet/storage"
)

// setupLink makes a setup link, as serve does if there is no administrator.
func setupLink(t *testing.T, b *providertest.Testbed) string {
	t.Helper()
	link, hash := interaction.NewSetupLink(b.Issuer)
	if err := b.DB.OpenSetup(t.Context(), hash, b.Now().Add(30*time.Minute), storage.By{From: storage.Origin{Actor: "system"}, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	return link
}

func setUp(t *testing.T, v *providertest.Visitor, page providertest.Stop, email, pass string) providertest.Stop {
	t.Helper()
	return v.Submit(t, page.Form(t), "email", email, "name", "Root", "new-password", pass)
}

// PW-19: There is no default administrator: the first one needs a one-time link.
func TestSetup_LinkMakesOneAdministrator(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		link := setupLink(t, b)
		v, late := b.Visitor(t), b.Visitor(t)
		page, opened := v.Get(t, link), late.Get(t, link)
		if page.StatusCode != http.StatusOK {
			t.Fatalf("status %d:\n%s", page.StatusCode, page.Body)
		}
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q", got)
		}

		page = setUp(t, v, page, "root@example.com", "short")
		page.WantPage(t, http.StatusUnprocessableEntity, "weak_password")
		page.WantText(t, `value="root@example.com"`)
		page = setUp(t, v, page, "not an address", providertest.Password)
		page.WantPage(t, http.StatusUnprocessableEntity, "invalid_email")
		page = setUp(t, v, page, strings.ToUpper(providertest.Alice), providertest.Password)
		page.WantPage(t, http.StatusConflict, "email_taken")

		page = setUp(t, v, page, "root@example.com", providertest.Password)
		page.WantAt(t, "/admin") // signed in as an administrator
		if page.StatusCode != http.StatusOK {
			t.Errorf("/admin answers %d", page.StatusCode)
		}
		root, _, err := b.DB.UserByEmail(t.Context(), "root@example.com")
		if err != nil || !root.Admin || root.Name != "Root" {
			t.Errorf("%+v, %v", root, err)
		}

		late.Get(t, link).WantPage(t, http.StatusGone, "invalid_setup_link")
		again := v.Get(t, link) // the new administrator reloads the page
		again.WantPage(t, http.StatusGone, "invalid_setup_link")
		v.Get(t, again.Link(t, "start")).WantAt(t, "/admin")
		setUp(t, late, opened, "late@example.com", providertest.Password).WantPage(t, http.StatusGone, "invalid_setup_link")
		u, _ := url.Parse(link)
		if token := u.Query().Get("token"); len(token) < 50 || strings.Contains(b.Log.String(), token) {
			t.Errorf("the token %q is too short, or in the log", token)
		}
	})
}

func TestSetup_RefusesInvalidLinksAndForms(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		link := setupLink(t, b)
		page := v.Get(t, link)
		for _, wrong := range []string{"/setup", "/setup?token=", "/setup?token=GUESSED", "/setup?token=%00"} {
			v.Get(t, b.Issuer+wrong).WantPage(t, http.StatusGone, "invalid_setup_link")
		}
		planted := page.Form(t)
		planted.Values.Set("token", "GUESSED")
		v.Submit(t, planted, "email", "root@example.com", "new-password", providertest.Password).WantPage(t, http.StatusGone, "invalid_setup_link")

		// A form of another site is refused even with the token.
		r := v.FormRequest(t, page.Form(t))
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		v.Walk(t, r).WantPage(t, http.StatusForbidden, "cross_origin")

		// AD-04: a field that the page does not have.
		v.Submit(t, page.Form(t), "email", "root@example.com", "new-password", providertest.Password, "email_verified", "true").
			WantPage(t, http.StatusBadRequest, "invalid_request")
		for _, name := range []string{strings.Repeat("x", 201), "ro\u202eot", "ro\x1b[2Jot"} {
			v.Submit(t, page.Form(t), "email", "root@example.com", "name", name, "new-password", providertest.Password).
				WantPage(t, http.StatusUnprocessableEntity, "invalid_name")
		}

		b.Advance(30 * time.Minute)
		v.Get(t, link).WantPage(t, http.StatusGone, "invalid_setup_link")
		setUp(t, v, page, "root@example.com", providertest.Password).WantPage(t, http.StatusGone, "invalid_setup_link")
		if _, _, err := b.DB.UserByEmail(context.Background(), "root@example.com"); err == nil {
			t.Error("a refused form made a user")
		}
	})
}

// Two visitors use the links of two nodes at the same time: one becomes administrator, the
// other is refused.
// PW-19: There is no default administrator: the first one needs a one-time link.
func TestSetup_ConcurrentVisitorsMakeOneAdministrator(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		type visit struct {
			v    *providertest.Visitor
			page providertest.Stop
		}
		var visits []visit
		for _, node := range []*providertest.Testbed{b, b.Node(t)} {
			v := node.Visitor(t)
			visits = append(visits, visit{v, v.Get(t, setupLink(t, node))})
		}
		statuses := make(chan int, len(visits))
		for i, one := range visits {
			f := one.page.Form(t)
			f.Values.Set("email", []string{"first@example.com", "second@example.com"}[i])
			f.Values.Set("new-password", providertest.Password)
			r := one.v.FormRequest(t, f)
			go func() {
				answer, err := one.v.Client.Do(r)
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

// emergencyLink makes an emergency link, as signet setup-link --break-glass does.
func emergencyLink(t *testing.T, b *providertest.Testbed, userID string) string {
	t.Helper()
	link, hash := interaction.NewSetupLink(b.Issuer)
	o := storage.EmergencyOpening{Hash: hash, UserID: userID, HostUser: "root", Until: b.Now().Add(30 * time.Minute)}
	if err := b.DB.OpenEmergencyLink(t.Context(), o, storage.By{From: storage.Origin{Actor: "cli"}, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	return link
}

// An emergency link creates a new administrator once. Every administrator sees that, no other user
// does, and nobody else changes.
// AD-22: An emergency link works once, and all administrators see it for 30 days.
func TestSetup_EmergencyLinkMakesANewAdministrator(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		first := b.Visitor(t)
		setUp(t, first, first.Get(t, setupLink(t, b)), "root@example.com", providertest.Password).WantAt(t, "/admin")
		if page := first.Get(t, b.Issuer+"/admin"); strings.Contains(page.Body, `id="emergency"`) {
			t.Error("a notice before the first emergency link")
		}
		link := emergencyLink(t, b, "")
		page := first.Get(t, b.Issuer+"/admin")
		page.WantText(t, "wasn’t used")

		v := b.Visitor(t)
		page = v.Get(t, link)
		page.WantText(t, "Create a new administrator")
		if got := page.Header.Get("Referrer-Policy"); got != "strict-origin" {
			t.Errorf("Referrer-Policy %q: the address holds a secret", got)
		}
		page = setUp(t, v, page, "root@example.com", providertest.Password)
		page.WantPage(t, http.StatusConflict, "email_taken")
		page = setUp(t, v, page, "rescue@example.com", providertest.Password)
		page.WantAt(t, "/admin")
		for _, one := range []*providertest.Visitor{first, v} {
			for _, path := range []string{"/account", "/admin", "/admin/keys", "/admin/connectors"} {
				page := one.Get(t, b.Issuer+path)
				page.WantText(t, "rescue@example.com")
				page.WantText(t, "became an administrator with an emergency link")
			}
		}
		alice := b.Visitor(t)
		if page := alice.SignIn(t, alice.Get(t, b.Issuer+"/account"), providertest.Alice, providertest.Password); strings.Contains(page.Body, `id="emergency"`) {
			t.Error("a user who is no administrator sees the notice")
		} else {
			page.WantAt(t, "/account")
		}
		v.Get(t, link).WantPage(t, http.StatusGone, "invalid_setup_link")
		u, _ := url.Parse(link)
		if log := b.Log.String(); strings.Contains(log, u.Query().Get("token")) || !strings.Contains(log, "an emergency link was used") {
			t.Error("want a warning in the log, without the token")
		}
		b.Advance(31 * 24 * time.Hour)
		links, err := b.DB.EmergencyLinks(t.Context(), b.Now().Add(-30*24*time.Hour), 3)
		if err != nil || len(links) != 0 {
			t.Errorf("notices after 31 days: %+v, %v", links, err)
		}
	})
}

// An emergency link for an administrator sets a new password and ends the sessions of that
// account. A field for another account has no effect.
// AD-23: An emergency link for an administrator changes no other account.
func TestSetup_EmergencyLinkRenewsAPassword(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		root, other := b.Visitor(t), b.Visitor(t)
		setUp(t, root, root.Get(t, setupLink(t, b)), "root@example.com", providertest.Password).WantAt(t, "/admin")
		setUp(t, other, other.Get(t, emergencyLink(t, b, "")), "other@example.com", providertest.Password).WantAt(t, "/admin")
		u, _, err := b.DB.UserByEmail(t.Context(), "root@example.com")
		if err != nil {
			t.Fatal(err)
		}
		link := emergencyLink(t, b, u.ID)
		v := b.Visitor(t)
		page := v.Get(t, link)
		page.WantText(t, "Choose a new password")
		page.WantText(t, "root@example.com")
		page = v.Submit(t, page.Form(t), "new-password", "short")
		page.WantPage(t, http.StatusUnprocessableEntity, "weak_password")
		planted := page.Form(t)
		planted.Values.Set("email", "other@example.com")
		page = v.Submit(t, planted, "new-password", providertest.NewPassword)
		page.WantAt(t, "/admin")
		page.WantText(t, "got a new password with an emergency link")
		if page := root.Get(t, b.Issuer+"/admin"); !strings.Contains(page.Body, `id="login"`) {
			t.Error("the old session of root still opens the pages of administrators")
		}
		if page := other.Get(t, b.Issuer+"/admin"); page.StatusCode != http.StatusOK || !strings.Contains(page.Body, "got a new password") {
			t.Errorf("the other administrator: status %d", page.StatusCode)
		}
		v.Get(t, link).WantPage(t, http.StatusGone, "invalid_setup_link")
		if again, _, err := b.DB.UserByEmail(t.Context(), "root@example.com"); err != nil || !again.Admin || again.NotBefore <= u.NotBefore {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// A link that ends while its form is open changes nothing.
func TestSetup_EmergencyLinkEndsWithANewerOne(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		root := b.Visitor(t)
		setUp(t, root, root.Get(t, setupLink(t, b)), "root@example.com", providertest.Password).WantAt(t, "/admin")
		v := b.Visitor(t)
		page := v.Get(t, emergencyLink(t, b, ""))
		newer := emergencyLink(t, b, "")
		setUp(t, v, page, "late@example.com", providertest.Password).WantPage(t, http.StatusGone, "invalid_setup_link")
		page = v.Get(t, newer)
		b.Advance(30 * time.Minute)
		setUp(t, v, page, "late@example.com", providertest.Password).WantPage(t, http.StatusGone, "invalid_setup_link")
		if _, _, err := b.DB.UserByEmail(t.Context(), "late@example.com"); err == nil {
			t.Error("an ended link made a user")
		}
	})
}
