package notice

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// Each kind of mail has a text, and no text of a person becomes markup or a line of its own.
// RC-20: Names in mails are escaped (ZITADEL CVE-2024-41953).
func TestMailTexts_EachKindHasOne(t *testing.T) {
	const hostile = "<b>evil</b> & \"x\"\r\n\r\nPS: https://evil.example\u202e"
	for _, kind := range storage.MailKinds {
		for _, operator := range []bool{false, true} {
			texts, err := content{
				issuer: &url.URL{Scheme: "https", Host: "id.example.com"}, zone: time.UTC, application: hostile, connector: hostile, link: "https://id.example.com/link/x?link=sealed",
				Mail: storage.Mail{Recipient: "ada@example.com", Message: storage.MailMessage{
					Kind: kind, Facts: storage.MailFacts{At: 1772366400000, Address: "192.0.2.7", Agent: hostile, Connector: hostile, Identity: hostile, Operator: operator},
				}},
			}.render()
			if err != nil {
				t.Errorf("%s: %v", kind, err)
				continue
			}
			if strings.Contains(texts.HTML, "<b>") || strings.Contains(texts.Text, "\nPS:") || strings.Contains(texts.Subject+texts.Text+texts.HTML, "\u202e") || strings.ContainsAny(texts.Subject, "\r\n") {
				t.Errorf("%s: a text adds markup or lines:\n%s\n%s", kind, texts.Text, texts.HTML)
			}
			if !strings.Contains(texts.Text, "Time: 1 March 2026, 12:00 UTC\n") || !strings.Contains(texts.HTML, "1 March 2026, 12:00 UTC") {
				t.Errorf("%s: no time with its zone:\n%s", kind, texts.Text)
			}
			if !strings.Contains(texts.Text, "Application: ") || !strings.Contains(texts.Text, "\nIf ") {
				t.Errorf("%s: no application, or no advice for people who did not do this:\n%s", kind, texts.Text)
			}
		}
	}
	if len(mailTexts) != len(storage.MailKinds) {
		t.Errorf("%d texts for %d kinds", len(mailTexts), len(storage.MailKinds))
	}
}
