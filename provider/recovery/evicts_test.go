package recovery_test

import (
	"strings"
	"testing"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// The page says that the first proof of an address deletes everything set up before, and says it of no
// other reset.
func TestResetLink_SaysIfItDeletes(t *testing.T) {
	each(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		b.CreateUser(t, storage.User{Email: "claimed@example.com"}, providertest.Password)
		for email, deletes := range map[string]bool{"claimed@example.com": true, providertest.Alice: false} {
			address, _ := askForLink(t, b, s, email)
			v := b.Visitor(t)
			page := v.Get(t, address)
			refused := v.Submit(t, page.Form(t), "new-password", "short")
			for how, shown := range map[string]providertest.Stop{"GET": page, "POST": refused} {
				if got := strings.Contains(shown.Body, "The new password deletes"); got != deletes {
					t.Errorf("%s, %s: the page says that it deletes: %t, want %t", email, how, got, deletes)
				}
			}
		}
	})
}
