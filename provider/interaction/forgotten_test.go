package interaction_test

import (
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// Every page that asks for a password leads to the form for a forgotten one, but only if the server
// sends mails: the sign-in page, the page that asks a signed-in person again, and the page that asks
// for the password of an account to connect an identity to it.
func TestForgottenPassword_LinkOnEveryPageThatAsks(t *testing.T) {
	for _, mails := range []bool{true, false} {
		providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
			v := b.Visitor(t)
			pages := map[string]providertest.Stop{"sign-in": v.Get(t, b.AuthorizeURL())}
			v.SignIn(t, pages["sign-in"], providertest.Alice, providertest.Password)
			pages["again"] = v.Get(t, b.AuthorizeURL("prompt", "login"))
			a := newAccount(t, b, up, storage.User{Email: "vic@corp.example"}, providertest.Password)
			pages["connect"], _ = a.waits(t, b.Visitor(t))
			for name, page := range pages {
				if !strings.Contains(page.Body, `id="password"`) {
					t.Fatalf("%s: %s asks for no password:\n%s", name, page.At, page.Body)
				}
				if offered := strings.Contains(page.Body, `id="forgot"`); offered != mails {
					t.Errorf("%s, mails %v: the link is there: %v", name, mails, offered)
				} else if mails && !strings.HasPrefix(page.Link(t, "forgot"), b.Issuer+"/reset?request=") {
					t.Errorf("%s leads to %s", name, page.Link(t, "forgot"))
				}
			}
		}, func(_ *providertest.Upstreams, c *provider.Config) {
			if mails {
				providertest.WithMail(mailtest.Start(t))(c)
			}
		})
	}
}
