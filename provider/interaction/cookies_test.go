package interaction_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
)

// picky is a cookie jar that refuses cookies with certain names.
type picky struct {
	http.CookieJar
	refuses func(name string) bool
}

// SetCookies stores the cookies that the jar does not refuse.
func (p picky) SetCookies(u *url.URL, cookies []*http.Cookie) {
	var kept []*http.Cookie
	for _, c := range cookies {
		if !p.refuses(c.Name) {
			kept = append(kept, c)
		}
	}
	p.CookieJar.SetCookies(u, kept)
}

// pickyVisitor opens a browser with a picky jar.
func pickyVisitor(t *testing.T, b *providertest.Testbed, refuses func(name string) bool) *providertest.Visitor {
	t.Helper()
	v := b.Visitor(t)
	v.Client.Jar = picky{v.Client.Jar, refuses}
	return v
}

func everything(string) bool { return true }

// wantBlocked fails unless the page says that cookies are blocked and offers to try again.
func wantBlocked(t *testing.T, what string, v *providertest.Visitor, s providertest.Stop) {
	t.Helper()
	if s.LeftTo != nil || s.StatusCode != http.StatusBadRequest || !strings.Contains(s.Body, "cookies_blocked") {
		t.Errorf("%s: at %s (left to %v) with status %d:\n%s", what, s.At, s.LeftTo, s.StatusCode, s.Body)
		return
	}
	s.WantText(t, "Allow cookies for this site")
	if again := v.Get(t, s.Link(t, "start")); again.StatusCode != http.StatusOK || !strings.Contains(again.Body, "<form") {
		t.Errorf("%s: the link to try again leads to %s, status %d", what, again.At, again.StatusCode)
	}
}

// In a browser that blocks cookies, every sign-in form shows the page about blocked cookies,
// from any entry. No row is written.
func TestCookies_EveryEntryExplainsBlockedCookies(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		b.RegisterApp(t)
		before := b.DumpTables(t)
		jarless := b.Visitor(t)
		jarless.Client.Jar = nil
		entries := map[string]string{
			"an application": b.AuthorizeURL(), "a new proof": b.AuthorizeURL("prompt", "login"), "a choice": b.AuthorizeURL("prompt", "select_account"),
			"the first-party app": b.Issuer + "/login?" + url.Values{"return_to": {providertest.Shop + "/cart"}}.Encode(), "the sign-in page": b.Issuer + "/login",
		}
		for _, path := range append(providertest.Pages(t, "/account"), providertest.Pages(t, "/admin")...) {
			entries[path] = b.Issuer + path
		}
		for name, v := range map[string]*providertest.Visitor{"blocked": pickyVisitor(t, b, everything), "no jar": jarless} {
			for entry, at := range entries {
				page := v.Get(t, at)
				wantBlocked(t, name+", "+entry+", password", v, v.SignIn(t, page, providertest.Alice, providertest.Password))
				wantBlocked(t, name+", "+entry+", wrong password", v, v.SignIn(t, page, providertest.Alice, "wrong"))
				for _, connector := range []string{"google", "github", "liar"} {
					wantBlocked(t, name+", "+entry+", "+connector, v, v.Submit(t, page.FormTo(t, "/login/"+connector, "", "")))
				}
			}
			// Pages that need a session, and the callback, mention cookies, too.
			keeps := b.Visitor(t)
			for _, path := range []string{"/consent", "/select", "/login/link"} {
				sealed := v.Get(t, b.AuthorizeURL()).FormTo(t, "/login", "", "").Values
				for _, s := range []providertest.Stop{
					v.Get(t, b.Issuer+path+"?"+url.Values{"request": {sealed.Get("request")}}.Encode()),
					v.Submit(t, providertest.Form{Action: b.Issuer + path, Values: url.Values{"request": {sealed.Get("request")}, "decision": {"continue"}, "ticket": {"x"}}}),
				} {
					if s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "Allow cookies for this site") {
						t.Errorf("%s, %s: status %d at %s", name, path, s.StatusCode, s.At)
					}
				}
			}
			callback := keeps.ChooseAccount(t, keeps.PressConnector(t, keeps.Get(t, b.AuthorizeURL()), "google"), "ada")
			s := v.Get(t, callback)
			v.WantProblem(t, s, http.StatusBadRequest, "unknown_attempt")
			s.WantText(t, "blocks cookies")
		}
		for name, rows := range b.DumpTables(t) {
			if rows != before[name] {
				t.Errorf("table %s has changed:\n%s\n%s", name, before[name], rows)
			}
		}
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithAppOrigins(providertest.Shop)(c) })
}

// For every set of refused cookies, a sign-in ends in the application or on a page that
// mentions cookies, and never at the sign-in form again.
func TestCookies_EverySetOfRefusedCookies(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		names := []string{"signet", "signet_last", "signet_device", "signet_up_"}
		for set := range 1 << len(names) {
			refuses := func(name string) bool {
				for i, refused := range names {
					if set&(1<<i) != 0 && (name == refused || refused == "signet_up_" && strings.HasPrefix(name, refused)) {
						return true
					}
				}
				return false
			}
			for _, way := range []string{"password", "connector"} {
				v := pickyVisitor(t, b, refuses)
				page := v.Get(t, b.AuthorizeURL())
				var s providertest.Stop
				if way == "password" {
					s = v.SignIn(t, page, providertest.Alice, providertest.Password)
				} else if s = v.Submit(t, page.FormTo(t, "/login/github", "", "")); s.LeftTo != nil {
					s = v.Get(t, v.ChooseAccount(t, s.LeftTo, "octo"))
				}
				what := fmt.Sprintf("%s, refused %05b", way, set)
				works := set&1 == 0 && set&2 == 0 && (way == "password" || set&8 == 0)
				if says := s.LeftTo == nil && s.StatusCode == http.StatusBadRequest && strings.Contains(s.Body, "cookies"); says == works {
					t.Errorf("%s: at %s (left to %v), status %d", what, s.At, s.LeftTo, s.StatusCode)
				}
				if works {
					if s.LeftTo == nil {
						s = v.Allow(t, s)
					}
					s.Code(t)
				}
			}
		}
	})
}

// If the user allows cookies meanwhile, the second attempt works.
func TestCookies_TryAgainWorks(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		blocked := true
		v := pickyVisitor(t, b, func(string) bool { return blocked })
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		wantBlocked(t, "at first", v, page)
		blocked = false
		v.AnswerPages(t, v.Get(t, page.Link(t, "start"))).Code(t)
	})
}

// A browser that blocks cookies does not use up the setup link.
func TestCookies_SetupLinkIsNotUsedUp(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		link := setupLink(t, b)
		fill := func(v *providertest.Visitor) providertest.Stop {
			return v.Submit(t, v.Get(t, link).Form(t), "email", "root@example.com", "name", "Root", "new-password", "a good long sentence")
		}
		v := pickyVisitor(t, b, everything)
		wantBlocked(t, "setup", v, fill(v))
		b.WantNoUser(t, "root@example.com")
		fill(b.Visitor(t)).WantAt(t, "/admin")
	})
}
