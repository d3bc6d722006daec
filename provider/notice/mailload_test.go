package notice_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// TestMails_ManyWaitingDoNotSlowTokensDown sends 10,000 mails while a client refreshes its tokens,
// and compares the slowest refreshes with those of an idle server. It measures times, so it runs
// only in soak.
func TestMails_ManyWaitingDoNotSlowTokensDown(t *testing.T) {
	if os.Getenv("SIGNET_SOAK") == "" {
		return
	}
	const waiting = 10_000
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for i := range waiting {
			mail := &storage.MailDraft{Kind: storage.MailNewBrowser, Recipient: fmt.Sprintf("user%d@example.com", i), Facts: storage.MailFacts{At: storage.At(b.Now())}}
			if err := b.DB.RequestMail(t.Context(), storage.MailRequest{Mail: mail}, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		token := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))["refresh_token"]
		slowest := func() time.Duration {
			var times []time.Duration
			for range 1000 {
				begun := time.Now()
				token = b.MustRefresh(t, token)["refresh_token"]
				times = append(times, time.Since(begun))
				b.Advance(time.Minute)
			}
			slices.Sort(times)
			return times[len(times)*99/100]
		}
		idle := slowest()
		ctx, cancel := context.WithCancel(t.Context())
		var sending sync.WaitGroup
		sending.Go(func() {
			for ctx.Err() == nil && b.SendMailsOnce(ctx) == nil {
				select { // as a server does, once a second
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		})
		busy := slowest()
		sent := len(s.Received())
		cancel()
		sending.Wait()
		t.Logf("p99 of a refresh: %s, and %s while %d mails were sent", idle, busy, sent)
		if sent == 0 || busy > 2*idle+20*time.Millisecond {
			t.Errorf("p99 of a refresh: %s, and %s while %d mails were sent", idle, busy, sent)
		}
	})
}
