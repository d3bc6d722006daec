package account_test

import (
	"net/url"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// If a form of the account is refused with an error page, for an invalid ticket or an unknown
// object, the link on that page leads to a page of the account.
func TestAccount_ErrorPagesLeadBackToAccount(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		v := b.Visitor(t)
		v.Account(t, "/account")
		v.Connect(t, "github", "octo")
		seen := 0
		for _, path := range providertest.Routes(t) {
			if !strings.HasPrefix(path, "/account") {
				continue
			}
			for _, values := range []url.Values{
				{"ticket": {"made up"}}, {}, {"identity": {"nobody's"}}, {"connector": {"nowhere"}, "ticket": {"made up"}}, {"client_id": {"nobody"}},
			} {
				for _, s := range []providertest.Stop{
					v.Submit(t, providertest.Form{Action: b.Issuer + path, Values: values}), v.Get(t, b.Issuer+path+"?"+values.Encode()),
				} {
					if s.StatusCode < 400 || !strings.Contains(s.Body, `id="start"`) {
						continue
					}
					seen++
					to := v.Get(t, s.Link(t, "start"))
					if to.StatusCode != 200 || !strings.HasPrefix(to.At.Path, "/account") && to.At.Path != "/" || strings.Contains(s.Body, ">Start again</a>") {
						t.Errorf("%s with %v leads to %s, status %d:\n%s", path, values, to.At, to.StatusCode, s.Body)
					}
				}
			}
		}
		if seen < 10 {
			t.Errorf("only %d error pages were checked, want at least 10", seen)
		}
	})
}
