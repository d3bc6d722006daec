package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// TestCalls_EachRequestMakesItsFixedNumber counts the calls of storage for each request, so
// that an additional call is noticed: a read costs tens of microseconds, a write transaction
// a sync of the disk.
func TestCalls_EachRequestMakesItsFixedNumber(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		service, serviceSecret := b.RegisterWith(t, storage.Service, "robot", func(c *storage.Client) { c.Metadata.Scope = "jobs" })
		robotKey := providertest.NewClientKey("ES256", "1")
		robot := b.KeyClient(t, "keyed-robot", func(c *storage.Client) { c.Metadata.JWKS = providertest.JWKS(robotKey) })
		b.RegisterWith(t, storage.Web, "trusted", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		})
		b.RegisterApp(t)
		tv := b.Televisions(t)
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL()).Form(t)
		var code, pushed string
		var device providertest.Device
		var page providertest.Stop
		var tokens map[string]any
		post := func(path string, form url.Values, id, secret string) {
			r, err := http.NewRequest(http.MethodPost, b.Issuer+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(id, secret)
			if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", path, a.StatusCode, a.Body)
			}
		}
		for _, step := range []struct {
			name          string
			reads, writes int64
			request       func()
		}{
			{"discovery", 0, 0, func() { v.Get(t, b.Issuer+"/.well-known/openid-configuration") }},
			{"JWKS", 0, 0, func() { v.Get(t, b.Issuer+"/jwks") }},
			{"authorize without a session", 0, 0, func() { providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL())) }},
			// Reads the user and the counted attempts. This attempt is counted before the
			// password is hashed, and the sign-in removes it from the count.
			{"sign-in with a password", 2, 2, func() {
				login.Values.Set("username", providertest.Alice)
				login.Values.Set("password", providertest.Password)
				providertest.Do(t, v.Client, v.FormRequest(t, login))
			}},
			// Reads session and consent for the dispatcher, again for the page, the session
			// for the form, and both once more at the end.
			{"consent given", 7, 1, func() { code = v.Allow(t, v.Get(t, b.AuthorizeURL())).Code(t) }},
			// Reads the session with its user, and the consent.
			{"authorize with a session", 2, 0, func() { code = v.CodeFromSession(t) }},
			{"authorize with a session, trusted client", 1, 0, func() { v.CodeFromSession(t, "client_id", "trusted") }},
			{"redeem a code", 0, 1, func() { tokens = b.Redeem(t, code) }},
			{"refresh", 0, 1, func() { tokens = b.MustRefresh(t, tokens["refresh_token"]) }},
			{"userinfo", 1, 0, func() { b.Userinfo(t, tokens["access_token"].(string)) }},
			{"introspection", 1, 0, func() {
				post("/introspect", url.Values{"token": {tokens["access_token"].(string)}}, b.Client.ID, b.Secret)
			}},
			{"client credentials", 0, 0, func() {
				post("/token", url.Values{"grant_type": {"client_credentials"}}, service.ID, serviceSecret)
			}},
			// The write marks the assertion as used.
			{"client credentials with a key", 0, 1, func() {
				if a := robot.PostAssertion(t, "/token", providertest.OwnToken(), robotKey.Sign(robot.AssertionClaims())); a.StatusCode != http.StatusOK {
					t.Fatalf("%d %s", a.StatusCode, a.Body)
				}
			}},
			{"push a request", 0, 1, func() { pushed = b.MustPush(t) }},
			// Reads the row, the session and the consent. One write makes the request valid for
			// longer, another one marks it as used.
			{"authorize by a pushed request", 3, 2, func() { v.Get(t, b.PushedURL(pushed)).Code(t) }},
			// Reads the limits before it writes.
			{"device authorization", 1, 1, func() { device = tv.StartDevice(t) }},
			{"poll of a device that waits", 1, 1, func() { tv.RefusePoll(t, device, "authorization_pending") }},
			{"poll of a device that waits, too early", 1, 1, func() { tv.RefusePoll(t, device, "slow_down") }},
			{"page for the code of a device", 1, 0, func() { page = v.Get(t, device.Complete) }},
			// Reads the session for the form, the dispatcher and the next page, the device code by the
			// code that the user has entered and for the page, and the consent. The attempt is counted
			// before the code is looked up, and given back.
			{"code of a device", 6, 2, func() { page = v.Submit(t, page.Form(t)) }},
			// Reads the session and the device code for the form, and for the page with the result.
			{"device allowed", 4, 1, func() { page = v.Submit(t, page.Form(t), "decision", "allow") }},
			{"poll of a device that was allowed", 1, 1, func() {
				if a := tv.Poll(t, device); a.StatusCode != http.StatusOK {
					t.Fatalf("%d %s", a.StatusCode, a.Body)
				}
			}},
			{"session of the app", 1, 0, func() { v.WantApp(t, true) }},
			// Reads the session with its user. The first request opens the grant, the second rotates it.
			{"first refresh of the app", 1, 1, func() { v.RefreshApp(t) }},
			{"refresh of the app", 1, 1, func() { v.RefreshApp(t) }},
			{"page sign-in of the app, with a session", 1, 1, func() {
				next := v.Fetch(t, b.Issuer+"/login?return_to="+b.Issuer+"/cart").Header.Get("Location")
				v.Fetch(t, b.Issuer+next)
			}},
			// As on the page, and one write for the grant.
			{"sign-in of the app", 2, 3, func() { v.SignInApp(t) }},
			{"refresh of the app without a session", 0, 0, func() { b.Visitor(t).CallApp(t, "/refresh", "") }},
			{"refresh of the app from another site", 0, 0, func() { v.CallApp(t, "/refresh", "", providertest.WithHeader("Sec-Fetch-Site", "cross-site")) }},
			{"revocation", 0, 1, func() {
				post("/revoke", url.Values{"token": {tokens["refresh_token"].(string)}}, b.Client.ID, b.Secret)
			}},
			{"sign-out of the app", 1, 1, func() { v.CallApp(t, "/logout", "") }},
		} {
			readsBefore, writesBefore := b.DB.Calls()
			step.request()
			reads, writes := b.DB.Calls()
			if reads -= readsBefore; reads != step.reads {
				t.Errorf("%s: got %d reads, want %d", step.name, reads, step.reads)
			}
			if writes -= writesBefore; writes != step.writes {
				t.Errorf("%s: got %d write transactions, want %d", step.name, writes, step.writes)
			}
		}
	})
}
