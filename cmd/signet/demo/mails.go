package demo

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"signet/provider/mail"
	"signet/provider/web"
	"signet/static"
	"signet/templates"
)

// MailPath is the path of the page that shows the mails of a demo, below its issuer.
const MailPath = "/dev/mail"

// mailsKept is the number of mails that the page shows.
const mailsKept = 50

// mailbox catches the mails of a demo instead of a mail server, and shows them on a page. They
// are in memory only, because they contain links.
type mailbox struct {
	issuer string
	log    *slog.Logger
	pages  *templates.Pages

	mu    sync.Mutex
	mails []mail.Message // the newest first
}

func newMailbox(issuer, base string, log *slog.Logger) (*mailbox, error) {
	files, err := static.New(base)
	if err != nil {
		return nil, err
	}
	pages, err := templates.New(files)
	if err != nil {
		return nil, err
	}
	return &mailbox{issuer: issuer, log: log, pages: pages}, nil
}

// Send takes the mails in. An address that no mail server would accept is refused as there.
func (m *mailbox) Send(_ context.Context, list []mail.Message) []error {
	results := make([]error, len(list))
	for i, message := range list {
		if _, err := mail.Envelope(message.To); err != nil {
			results[i] = &mail.Failure{Code: "recipient_invalid", Final: true, Text: err.Error()}
			continue
		}
		m.add(message)
		m.log.Info("a mail was caught; read it at " + m.issuer + MailPath)
	}
	return results
}

func (m *mailbox) add(message mail.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append([]mail.Message{message}, m.mails...)
	m.mails = m.mails[:min(len(m.mails), mailsKept)]
}

// Close does nothing.
func (m *mailbox) Close() {}

// page serves the page of the mails.
func (m *mailbox) page() http.Handler {
	return web.Headers(false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method_not_allowed: this page only accepts GET", http.StatusMethodNotAllowed)
			return
		}
		var body bytes.Buffer
		if err := m.pages.Write(&body, m.show()); err != nil {
			m.log.Error("mail page", "error", err)
			http.Error(w, "The mails cannot be shown; the log says why.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		_, _ = w.Write(body.Bytes())
	}))
}

func (m *mailbox) show() templates.DevMails {
	m.mu.Lock()
	defer m.mu.Unlock()
	page := templates.DevMails{Common: templates.Common{Issuer: strings.TrimPrefix(m.issuer, "http://")}}
	for _, message := range m.mails {
		shown := templates.DevMail{
			To: message.To, Subject: message.Subject, Text: message.Text,
			At: templates.Moment{ISO: message.At.UTC().Format(time.RFC3339), Text: templates.WriteTime(message.At, time.UTC)},
		}
		for line := range strings.Lines(message.Text) {
			if path, is := strings.CutPrefix(strings.TrimSpace(line), m.issuer+"/"); is {
				shown.Links = append(shown.Links, pathOf(m.issuer)+"/"+path)
			}
		}
		page.Mails = append(page.Mails, shown)
	}
	return page
}
