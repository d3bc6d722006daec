package provider_test

import (
	"net/url"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
	"signet/provider/web"
	"signet/storage"
	"signet/storage/storagetest"
)

// wantCookies wants what the browser sends with a request to fit.
func wantCookies(t *testing.T, v *providertest.Visitor, at string) {
	t.Helper()
	u, _ := url.Parse(v.Bed.Issuer + at)
	longer := 0 // cookie_name than its default
	for _, c := range v.Client.Jar.Cookies(u) {
		if base, found := strings.CutSuffix(c.Name, "_device"); found {
			longer = len(base) - len("signet")
		}
	}
	all, trips, person := 0, 0, trustCookie+lastCookie
	for _, c := range v.Client.Jar.Cookies(u) {
		size := len("__Host-") + len(c.Name) + len("=") + len(c.Value) + len("; ")
		all += size
		switch {
		case strings.Contains(c.Name, "_up_") || strings.Contains(c.Name, "_for_"):
			trips += size
		case strings.HasPrefix(c.Name, "signet") && !strings.HasSuffix(c.Name, "_last"):
			person += size
		}
	}
	if all > web.MaxCookies || trips > 2400-5*longer || person > 1024+3*longer {
		t.Errorf("cookies: %d bytes for %s, %d of them of trips, %d of the person", all, at, trips, person)
	}
}

// What the longest id of a connector takes as the one that was used last, and the cookie
// of a trusted browser, which is to come.
const (
	lastCookie  = len("__Host-signet_last=; ") + 32
	trustCookie = len("__Host-signet_trust=; ") + 43
)

// TestBudget_LargestWaitingIdentity: an identity with the longest names that an upstream may
// give waits for the proof of the account with the longest address, beside a large request.
func TestBudget_LargestWaitingIdentity(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		lower := strings.NewReplacer("-", "x", "_", "y")
		domain := strings.ToLower(lower.Replace(noise(63)+"."+noise(62)+"."+noise(50))) + ".example.com"
		email := lower.Replace(noise(64))
		email += "@" + domain[len(email)+1+len(domain)-254:]
		b.Local(t, storage.User{Email: email, EmailVerified: true}, providertest.Password)
		for _, subject := range []string{"1", noise(255), strings.Repeat(`"`, 255), strings.Repeat("<", 255), strings.Repeat("é", 127), strings.Repeat("𝒳", 63)} {
			for _, name := range []string{"Ada", noise(64), noise(100), strings.Repeat("é", 32)} {
				f := providertest.LieOf("sub", subject, "email", email, "preferred_username", name)
				f.Claims["email_verified"] = true
				up.Liar.SetFaults(f)
				v := b.Visitor(t)
				page := v.Through(t, v.Get(t, b.AuthorizeURL("state", noise(1500))), "liar", "victim")
				if page.At.Path != "/login/link" {
					t.Fatalf("at %s, status %d: %s", page.At, page.StatusCode, page.Body)
				}
				page.WantText(t, email)
				if v.Cookie(t, "signet_pending") == nil {
					t.Fatal("nothing waits")
				}
				wantCookies(t, v, "/login/link")
				page = v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password)
				wantCookies(t, v, "/login/link")
				if subject == "1" && name == "Ada" {
					page.WantText(t, name)
				}
			}
		}
	})
}

// TestBudget_LongCookieNameTakesItsRoomFromTheTrips: all cookies fit whatever they are
// called.
func TestBudget_LongCookieNameTakesItsRoomFromTheTrips(t *testing.T) {
	_, upstream := providertest.WithUpstreams(t)
	b := providertest.StartOn(t, storagetest.SQLite(t), upstream, func(c *provider.Config) { c.CookieName = "signet" + strings.Repeat("-", 26) })
	grow := func(n int) url.Values {
		return b.Params("state", cut(noise(4000), n), "prompt", "login", "max_age", "86400")
	}
	n := largest(t, b, grow)
	if n < 1500 {
		t.Errorf("a state of %d characters is the longest", n)
	}
	v := b.Visitor(t)
	for range 3 {
		v.Press(t, v.Get(t, b.Issuer+"/authorize?"+grow(n-30).Encode()), "google")
		wantCookies(t, v, "/login")
	}
	v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
	wantCookies(t, v, "/login")
}
