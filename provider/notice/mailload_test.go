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

// TestMails_ManyWaitingDoNotSlowTokensDown refreshes the tokens of a client with an empty queue,
// while 10,000 mails wait, and while a node sends them, and compares the slowest refreshes. It
// measures times, so it runs only in soak.
func TestMails_ManyWaitingDoNotSlowTokensDown(t *testing.T) {
	if os.Getenv("SIGNET_SOAK") == "" {
		return
	}
	const waiting = 10_000
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		token := b.Redeem(t, b.Visitor(t).SignInForCode(t, "scope", "openid offline_access"))["refresh_token"]
		slowest := func() time.Duration {
			var times []time.Duration
			for range 5000 {
				begun := time.Now()
				token = b.MustRefresh(t, token)["refresh_token"]
				times = append(times, time.Since(begun))
				b.Advance(time.Second)
			}
			slices.Sort(times)
			return times[len(times)*99/100]
		}
		empty := slowest()
		for i := range waiting {
			mail := &storage.MailDraft{Kind: storage.MailNewBrowser, Recipient: fmt.Sprintf("user%d@example.com", i), Facts: storage.MailFacts{At: storage.At(b.Now())}}
			if err := b.DB.RequestMail(t.Context(), storage.MailRequest{Mail: mail}, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		queued := slowest()
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
		t.Logf("p99 of a refresh: %s with an empty queue, %s while %d mails wait, and %s while %d of them were sent", empty, queued, waiting, busy, sent)
		if sent == 0 || max(queued, busy) > 2*empty+20*time.Millisecond {
			t.Error("the mails slow the refreshes down")
		}
	})
}
