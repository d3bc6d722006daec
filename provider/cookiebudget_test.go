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

// wantCookies checks that the cookies of a request to the path fit the budget.
func wantCookies(t *testing.T, v *providertest.Visitor, at string) {
	t.Helper()
	u, _ := url.Parse(v.Bed.Issuer + at)
	longer := 0 // characters that cookie_name has more than its default
	for _, c := range v.Client.Jar.Cookies(u) {
		if base, found := strings.CutSuffix(c.Name, "_device"); found {
			longer = len(base) - len("signet")
		}
	}
	all, trips, user := 0, 0, trustCookie+lastCookie+passkeyCookie+createCookie
	for _, c := range v.Client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "_state") {
			continue // see web.MaxCookies
		}
		size := len("__Host-") + len(c.Name) + len("=") + len(c.Value) + len("; ")
		all += size
		switch {
		case strings.HasSuffix(c.Name, "_trust"):
			user += size - trustCookie
		case strings.Contains(c.Name, "_up_") || strings.Contains(c.Name, "_for_"):
			trips += size
		case strings.HasPrefix(c.Name, "signet") && !strings.HasSuffix(c.Name, "_last"):
			user += size
		}
	}
	if all > web.MaxCookies || trips > 2432-7*longer || user > 1340+5*longer {
		t.Errorf("cookies: %d bytes for %s, %d of them for trips, %d for the user", all, at, trips, user)
	}
}

// lastCookie is the size of the cookie with the connector that was used last, if its id is
// as long as possible. trustCookie is the size of the cookie of a trusted browser, which most of
// these visitors do not have. passkeyCookie is the size of the cookie that a page with a passkey sets; the
// host of these tests has none.
const (
	lastCookie  = len("__Host-signet_last=; ") + 32
	trustCookie = len("__Host-signet_trust=; ") + 43

	createCookie  = len("__Host-signet_create=1; ") // of a browser that was asked for a passkey today
	passkeyCookie = len("__Host-signet_passkey=; ") + 26
)

// TestBudget_LargestWaitingIdentity: an identity with the longest possible names waits until
// the user proves the account with the longest address, during a large request.
func TestBudget_LargestWaitingIdentity(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		lower := strings.NewReplacer("-", "x", "_", "y")
		domain := strings.ToLower(lower.Replace(noise(63)+"."+noise(62)+"."+noise(50))) + ".example.com"
		email := lower.Replace(noise(64))
		email += "@" + domain[len(email)+1+len(domain)-254:]
		b.CreateUser(t, storage.User{Email: email, EmailVerified: true}, providertest.Password)
		for _, subject := range []string{"1", noise(255), strings.Repeat(`"`, 255), strings.Repeat("<", 255), strings.Repeat("é", 127), strings.Repeat("𝒳", 63)} {
			for _, name := range []string{"Ada", noise(64), noise(100), strings.Repeat("é", 32)} {
				f := providertest.ChangeClaims("sub", subject, "email", email, "preferred_username", name)
				f.Claims["email_verified"] = true
				up.Liar.SetFaults(f)
				v := b.Visitor(t)
				page := v.SignInThrough(t, v.Get(t, b.AuthorizeURL("state", noise(1500))), "liar", "victim")
				if page.At.Path != "/login/link" {
					t.Fatalf("at %s, status %d: %s", page.At, page.StatusCode, page.Body)
				}
				page.WantText(t, email)
				if v.Cookie(t, "signet_pending") == nil {
					t.Fatal("no identity waits")
				}
				wantCookies(t, v, "/login/link")
				page = v.Submit(t, page.FormTo(t, "/login/link", "", ""), "password", providertest.Password)
				wantCookies(t, v, "/login/link")
				if subject == "1" && name == "Ada" {
					page.WantText(t, name)
				}
			}
		}
	}, everySetting)
}

// TestBudget_LongCookieNameShortensTheTrips: all cookies fit, even with a long cookie_name.
func TestBudget_LongCookieNameShortensTheTrips(t *testing.T) {
	_, upstream := providertest.WithUpstreams(t)
	b := providertest.StartOn(t, storagetest.SQLite(t), upstream, func(c *provider.Config) { c.CookieName, c.SessionManagement = "signet"+strings.Repeat("-", 26), true })
	grow := func(n int) url.Values {
		return b.Params("state", cut(noise(4000), n), "prompt", "login", "max_age", "86400")
	}
	n := largest(t, b, grow)
	if n < 1450 {
		t.Errorf("the longest accepted state has %d characters", n)
	}
	v := b.Visitor(t)
	for range 3 {
		v.PressConnector(t, v.Get(t, b.Issuer+"/authorize?"+grow(n-30).Encode()), "google")
		wantCookies(t, v, "/login")
	}
	v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
	wantCookies(t, v, "/login")
}
