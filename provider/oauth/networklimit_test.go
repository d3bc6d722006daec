package oauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// DR-11, DV-12, PW-10: every limit of a network also counts an IPv6 /48, whose owner can use another
// /64 for every attempt. Another /48, and every IPv4 address, has a limit of its own. P-85: one setting
// for each limit changes it.
func TestNetworkLimits_CountTheNetworksOfOneOwnerTogether(t *testing.T) {
	one := func(c *provider.Config) {
		c.Registration = directory.RegistrationPolicy{Mode: directory.RegistrationOpen, PerNetwork: 1}
		c.RateLimits, c.RequestLimits = credential.Limits{Network: 1}, provider.RequestLimits{Pushed: 1, DeviceCodes: 1}
	}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		spa, tv := b.AsClient(b.Register(t, storage.SPA, "spa", "https://spa.example.com/cb")), b.Televisions(t)
		b.RegisterApp(t)
		b.User(t, "bob@example.com", providertest.Password)
		people := []*providertest.Visitor{b.Visitor(t), b.Visitor(t)}
		for i, name := range []string{providertest.Alice, "bob@example.com"} {
			people[i].SignIn(t, people[i].Get(t, b.Issuer+"/device"), name, providertest.Password)
		}
		b.Advance(credential.Limits{}.OfNetwork().Window)
		form := func(on *providertest.Testbed, path string, fields url.Values, address string) int {
			return on.Post(t, path, providertest.FormType, strings.NewReader(fields.Encode()), func(r *http.Request) {
				r.Header.Del("Authorization")
				r.Header.Set("X-Forwarded-For", address)
			}).StatusCode
		}
		for name, limit := range map[string]struct {
			wide int
			try  func(i int, address string) int
		}{
			"registrations": {3, func(i int, address string) int {
				document := fmt.Sprintf(`{"redirect_uris":["https://app%d.example/cb"]}`, i)
				return b.Post(t, "/register", "application/json", strings.NewReader(document), func(r *http.Request) {
					r.Header.Del("Authorization")
					r.Header.Set("X-Forwarded-For", address)
				}).StatusCode
			}},
			"pushed requests": {10, func(_ int, address string) int { return form(spa, "/par", spa.Params(), address) }},
			"device codes": {10, func(_ int, address string) int {
				return form(tv, "/device_authorization", url.Values{"client_id": {"tv"}, "scope": {"openid"}}, address)
			}},
			"secrets": {10, func(i int, address string) int {
				return b.PostAsClient(t, "/token", fmt.Sprint("client", i), "wrong", address).StatusCode
			}},
			"passwords": {10, func(i int, address string) int {
				return b.Visitor(t).TryPasswordInApp(t, fmt.Sprintf("user%d@example.com", i), "wrong password", address).StatusCode
			}},
			"user codes": {10, func(i int, address string) int {
				v := people[i%2]
				f := v.Account(t, "/device").Form(t)
				f.Values.Set("user_code", "BCDF-GHJK")
				r := v.FormRequest(t, f)
				r.Header.Set("X-Forwarded-For", address)
				return providertest.Do(t, v.Client, r).StatusCode
			}},
		} {
			t.Run(name, func(t *testing.T) {
				tries := 0
				try := func(address string, limited bool) {
					t.Helper()
					tries++
					if status := limit.try(tries, address); (status == http.StatusTooManyRequests) != limited {
						t.Errorf("attempt %d, from %s: got %d, limited: want %v", tries, address, status, limited)
					}
				}
				for i := range limit.wide {
					try(fmt.Sprintf("2001:db8:1:%x::1", i), false)
				}
				try("2001:db8:1:ffff::1", true)
				try("2001:db8:2::1", false)
				try("2001:db8:2:0:ffff::1", true) // the same /64
				try("203.0.113.7", false)
				try("203.0.113.7", true)
				try("203.0.113.8", false)
			})
		}
	}, providertest.BehindProxy, one)
}
