package providertest

import (
	"testing"

	"signet/provider"
	"signet/provider/mail"
	"signet/provider/mail/mailtest"
)

// WithMail sends mails through a mail server of the test.
func WithMail(s *mailtest.Server) Option {
	return func(c *provider.Config) {
		from, err := mail.ParseSender("Example <no-reply@example.com>")
		if err != nil {
			panic(err)
		}
		c.Mail = mail.Config{Host: s.Host, Port: s.Port, From: from}
		c.Outbound.Roots = s.Roots
	}
}

// SendMails sends the due mails, as a running server does once a second.
func (b *Testbed) SendMails(t testing.TB) {
	t.Helper()
	if err := b.SendMailsOnce(t.Context(), b.Now()); err != nil {
		t.Fatalf("send mails: %v", err)
	}
}
