package interaction_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
)

// origins lists values of Origin and Sec-Fetch-Site, and whether a form with them is
// accepted. "" means that the header is not sent.
func origins(issuer string) map[[2]string]bool {
	u, _ := url.Parse(issuer)
	twin := map[string]string{"http": "https", "https": "http"}[u.Scheme]
	return map[[2]string]bool{
		{issuer, "same-origin"}: true,
		{issuer, ""}:            true,
		{"null", "same-origin"}: true, // Fetch, section 3.2: a page with no-referrer posts to itself like this
		{"", "same-origin"}:     true,

		{"null", ""}: false, {"null", "cross-site"}: false, {"null", "same-site"}: false, {"", "cross-site"}: false, {"", "same-site"}: false,
		{"https://evil.example", ""}: false, {"https://evil.example", "cross-site"}: false,
		{"https://evil." + u.Hostname(), "same-site"}: false, {"https://evil." + u.Hostname(), ""}: false,
		{u.Scheme + "://" + u.Hostname() + ":1", ""}: false, {u.Scheme + "://" + u.Hostname() + ":1", "same-site"}: false,
		{twin + "://" + u.Host, ""}: false, {twin + "://" + u.Host, "cross-site"}: false,
		{issuer + "/", ""}: false, {issuer + ".evil.example", ""}: false, {"x" + issuer, ""}: false, {u.Host, ""}: false,
		{strings.ToUpper(issuer), ""}: false, {issuer + "@evil.example", ""}: false, {"file://", ""}: false,
		{"chrome-extension://" + u.Host, ""}: false, {"https://evil.example, " + issuer, ""}: false,
	}
}

// SS-07: The same holds for a sibling host of the same site.
// SS-08: Origin: null, or no proof of origin, is refused.
func TestForms_OfOtherOriginsAreRefused(t *testing.T) {
	for _, issuer := range []string{"", providertest.HTTPSIssuer} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			s := b.Bench(t)
			consent := s.Form(t, "/consent")
			consent.Values.Set("decision", "deny")
			choice := s.Form(t, "/select")
			choice.Values.Set("decision", "continue")
			asked := s.Visitor.Get(t, b.AuthorizeURL("prompt", "login"))
			login, decline := asked.FormTo(t, "/login", "", ""), asked.FormTo(t, "/decline", "", "")
			login.Values.Set("username", providertest.Alice)
			login.Values.Set("password", "wrong")
			for path, c := range map[string]struct {
				form   providertest.Form
				inside int // the status of an accepted form
			}{"/login": {login, http.StatusUnprocessableEntity}, "/decline": {decline, http.StatusOK}, "/consent": {consent, http.StatusOK}, "/select": {choice, http.StatusOK}} {
				for from, allowed := range origins(b.Issuer) {
					r := s.Visitor.FormRequest(t, c.form)
					r.Header.Del("Origin")
					r.Header.Del("Sec-Fetch-Site")
					if from[0] != "" {
						r.Header.Set("Origin", from[0])
					}
					if from[1] != "" {
						r.Header.Set("Sec-Fetch-Site", from[1])
					}
					a := providertest.Do(t, s.Visitor.Client, r)
					want := http.StatusForbidden
					if allowed {
						want = c.inside
					}
					if a.StatusCode != want || len(a.Cookies()) != 0 || a.Header.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%s from Origin %q, Sec-Fetch-Site %q: got %d, want %d", path, from[0], from[1], a.StatusCode, want)
					}
				}
				// The Host header proves nothing about the origin.
				r := s.Visitor.FormRequest(t, c.form)
				r.Header.Del("Sec-Fetch-Site")
				r.Host = "evil.example"
				r.Header.Set("Origin", "https://evil.example")
				if a := providertest.Do(t, s.Visitor.Client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s with Host and Origin of another site: got %d", path, a.StatusCode)
				}
			}
		}, providertest.WithIssuerIfSet(issuer))
	}
}

// Browsers that send neither header need a valid ticket.
// SS-10: A form ticket of another session, or an old one, is refused.
func TestForms_OldBrowsersNeedTicket(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		s := b.Bench(t)
		b.User(t, "mallory@example.com", providertest.Password)
		m := &providertest.Bench{Bed: b, Visitor: b.Visitor(t), Tokens: map[string]any{}}
		m.Visitor.SignInAndRedeem(t, "mallory@example.com")
		earlier := s.Ticket(t, "/consent")
		s.Tokens["request"] = s.Request(t, "prompt", "select_account consent") // another request of the same user
		m.Tokens["request"] = s.Tokens["request"]
		send := func(path, decision, ticket string) providertest.Answer {
			f := s.Form(t, path)
			f.Values.Set("ticket", ticket)
			if ticket == "" {
				f.Values.Del("ticket")
			}
			f.Values.Set("decision", decision)
			r := s.Visitor.FormRequest(t, f)
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Cookie", "ticket="+ticket) // a copy planted in a cookie
			return providertest.Do(t, s.Visitor.Client, r)
		}
		tickets := map[string]func() string{
			"none":             func() string { return "" },
			"made up":          func() string { return strings.Repeat("A", 200) },
			"mallory's":        func() string { return m.Ticket(t, "/consent") },
			"another request":  func() string { return earlier },
			"another purpose":  func() string { return s.Ticket(t, "/select") },
			"cut":              func() string { good := s.Ticket(t, "/consent"); return good[:len(good)-1] },
			"session's handle": func() string { return s.Visitor.Cookie(t, "signet").Value },
			"sid":              func() string { return fmt.Sprint(providertest.ClaimsOf(t, s.Tokens["id_token"])["sid"]) },
		}
		for name, ticket := range tickets {
			if a := send("/consent", "deny", ticket()); a.StatusCode != http.StatusConflict {
				t.Errorf("%s: got %d", name, a.StatusCode)
			}
		}
		old := s.Ticket(t, "/consent")
		b.Advance(31 * time.Minute)
		s.Tokens["request"] = s.Request(t, "prompt", "select_account consent")
		if a := send("/consent", "deny", old); a.StatusCode != http.StatusConflict {
			t.Errorf("a ticket of half an hour ago: got %d", a.StatusCode)
		}
		if a := send("/consent", "deny", s.Ticket(t, "/consent")); a.StatusCode != http.StatusOK {
			t.Errorf("the good ticket: got %d", a.StatusCode)
		}
	})
}
