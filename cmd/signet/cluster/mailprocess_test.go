package cluster_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/provider/mail/mailtest"
	"signet/storage/storagetest"
)

// TestKilled_MailIsSentAtLeastOnce kills the process with a mail before it is sent, and while the
// mail server is about to answer. Another process sends the mail again, with the same Message-ID,
// when the lease of the killed one has ended.
func TestKilled_MailIsSentAtLeastOnce(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return storagetest.Postgres(t).Config().Database },
	} {
		t.Run(name, func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never greets
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			s := mailtest.Start(t)
			c := signettest.NewCluster(t, database())
			plain := c.Env
			c.Env = append(plain[:len(plain):len(plain)], withMails(t, s, silent.Addr().(*net.TCPAddr).Port)...)
			p := c.Start(t, true)
			c.Codes(t, 1)
			c.Codes(t, 1) // from a new browser
			p.Kill()

			hold := make(chan struct{})
			defer close(hold)
			s.OnData(func() error { <-hold; return nil })
			restart := func(ahead time.Duration) (stop func()) {
				now := func() time.Time { return time.Now().Add(ahead) }
				return signettest.StartSignetAt(t, now, c.Issuer, append(c.Instance.Env[:len(c.Instance.Env):len(c.Instance.Env)], withMails(t, s, s.Port)...), "serve")
			}
			var ids []string
			arrived := func() bool {
				for _, m := range s.Received() {
					ids = append(ids, m.Header.Get("Message-Id"))
					if m.To[0] != c.Email || !strings.Contains(m.Subject(), "New sign-in") {
						t.Errorf("to %s: %s", m.To[0], m.Subject())
					}
				}
				return len(ids) > 0
			}
			c.Env = append(plain[:len(plain):len(plain)], withMails(t, s, s.Port)...)
			stop := restart(5 * time.Minute)
			signettest.Eventually(t, 30*time.Second, "the mail of the killed process arrives", arrived)
			stop() // while the mail server holds its answer

			s.OnData(nil)
			first := len(ids)
			stop = restart(10 * time.Minute)
			signettest.Eventually(t, 30*time.Second, "the mail is sent again", func() bool { arrived(); return len(ids) > first })
			stop()
			for _, id := range ids {
				if id == "" || id != ids[0] {
					t.Errorf("Message-IDs %q, want the same", ids)
				}
			}
		})
	}
}
