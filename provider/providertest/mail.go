package providertest

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/link"
	"signet/provider/mail"
	"signet/provider/mail/mailtest"
	"signet/storage"
)

// WithMail sends mails through a mail server of the test.
func WithMail(s *mailtest.Server) Option {
	return func(c *provider.Config) {
		from, err := mail.ParseSender("Example <no-reply@example.com>")
		if err != nil {
			panic(err)
		}
		c.Mail = mail.Config{Host: s.Host, Port: s.Port, From: from}
		mailboxes.Store(s.Port, s)
		c.Outbound.Roots = s.Roots
	}
}

var mailboxes sync.Map // mail servers of tests, by port

// mailboxOf returns the mail server of WithMail; nil if there is none.
func mailboxOf(c provider.Config) *mailtest.Server {
	s, _ := mailboxes.Load(c.Mail.Port)
	box, _ := s.(*mailtest.Server)
	return box
}

// Newest sends the due mails and returns the newest one with this subject to the address.
func (b *Testbed) Newest(t testing.TB, to, subject string) mailtest.Mail {
	t.Helper()
	b.SendMails(t)
	for _, m := range slices.Backward(b.mailbox.Received()) {
		if m.To[0] == to && m.Subject() == subject {
			return m
		}
	}
	t.Fatalf("no mail %q to %s", subject, to)
	return mailtest.Mail{}
}

// EnrolmentSubject is the subject of the mail that comes before the first factor.
const EnrolmentSubject = "Add a passkey or a second factor"

// EnrolmentLink asks for the mail that comes before the first factor, on the page that offers it, and
// returns its link.
func (v *Visitor) EnrolmentLink(t *testing.T, page Stop) (address, sealed string) {
	t.Helper()
	asked := v.Submit(t, page.FormTo(t, "/account/security/proof", "", ""))
	asked.WantText(t, `id="sent"`)
	found := enrolmentRecipient.FindStringSubmatch(asked.Body)
	if found == nil {
		t.Fatalf("no address on the page:\n%s", asked.Body)
	}
	return LinkIn(t, v.Bed.Newest(t, found[1], EnrolmentSubject))
}

var enrolmentRecipient = regexp.MustCompile(`id="sent">[^<]*<strong><bdi>([^<]+)</bdi></strong>`)

// ProveFirst opens the mailed link that comes before the first factor, if the page asks for that, and
// returns the page after it. Otherwise it returns the page.
func (v *Visitor) ProveFirst(t *testing.T, page Stop) Stop {
	t.Helper()
	if page.At.Path != "/account/security/proof" {
		return page
	}
	address, _ := v.EnrolmentLink(t, page)
	return v.Submit(t, v.Get(t, address).FormTo(t, "/link/enrol", "", ""), "act", "confirm")
}

// WithSignUp lets everybody create an account.
func WithSignUp(c *provider.Config) { c.OpenSignUp = true }

// SendMails sends the due mails, as a running server does once a second.
func (b *Testbed) SendMails(t testing.TB) {
	t.Helper()
	if err := b.SendMailsOnce(t.Context()); err != nil {
		t.Fatalf("send mails: %v", err)
	}
}

// LinkIn returns the sealed part of the only one-time link in the text of a mail.
func LinkIn(t testing.TB, m mailtest.Mail) (address, sealed string) {
	t.Helper()
	for field := range strings.FieldsSeq(m.Text) {
		u, err := url.Parse(field)
		if err != nil || u.Query().Get(link.Parameter) == "" {
			continue
		}
		if address != "" && address != field {
			t.Fatalf("there are two links in the mail:\n%s", m.Text)
		}
		address, sealed = field, u.Query().Get(link.Parameter)
	}
	if address == "" {
		t.Fatalf("there is no link in the mail:\n%s", m.Text)
	}
	return address, sealed
}

// WantNowhere wants a secret, such as the link of a mail, in no place that operators, users or
// thieves of a copy read: the database, a backup, the events, the log, and the pages.
func (b *Testbed) WantNowhere(t *testing.T, secret string) {
	t.Helper()
	if places := b.PlacesOf(t, secret); len(places) > 0 {
		t.Errorf("%q is in: %s", secret, strings.Join(places, ", "))
	}
}

// PlacesOf returns the places of WantNowhere that contain the secret.
func (b *Testbed) PlacesOf(t *testing.T, secret string) (places []string) {
	t.Helper()
	search := func(place, text string) {
		if strings.Contains(text, secret) {
			places = append(places, place)
		}
	}
	search("database", b.DumpDatabase(t))
	if b.Backend.Name == "sqlite" {
		file := filepath.Join(t.TempDir(), "backup.db")
		if err := storage.Backup(t.Context(), b.Backend.Config(), file); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		search("backup", string(content))
	}
	events, err := json.Marshal(b.Events(t))
	if err != nil {
		t.Fatal(err)
	}
	search("events", string(events))
	if _, _, err := b.DB.UserByEmail(t.Context(), AdminEmail); err != nil {
		b.CreateUser(t, storage.User{Email: AdminEmail, EmailVerified: true, Admin: true}, Password)
	}
	v := b.Visitor(t)
	search("/admin", v.SignIn(t, v.Get(t, b.Issuer+"/admin"), AdminEmail, Password).Body)
	for _, path := range slices.Concat(Pages(t, "/account"), Pages(t, "/admin"), []string{"/", "/login", "/device"}) {
		search(path, v.Get(t, b.Issuer+path).Body)
	}
	search("log", b.Log.String())
	return places
}

// ReserveAddress makes a user change this address, so that nobody else can get it for 7 days. It
// returns the user.
func (b *Testbed) ReserveAddress(t testing.TB, email string) storage.User {
	t.Helper()
	u := b.User(t, email, Password)
	session, err := b.DB.SignIn(t.Context(), storage.SignIn{
		UserID: u.ID, HandleHash: storage.NewID("h"), ACR: storage.ACROneFactor, AMR: []string{"pwd"}, IdleFor: time.Hour, AbsoluteFor: time.Hour,
	}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	to := storage.NewID("new") + "@example.com"
	asked := storage.AddressRequest{UserID: u.ID, SessionID: session.ID, FreshFor: time.Hour, Email: to, From: TestOrigin}
	if err := b.DB.RequestAddressChange(t.Context(), asked, b.Now()); err != nil {
		t.Fatal(err)
	}
	mails, err := b.DB.Mails(t.Context(), storage.MailFilter{}, 1)
	if err != nil || len(mails) != 1 {
		t.Fatalf("mails %+v, %v", mails, err)
	}
	_, err = b.DB.ChangeAddress(t.Context(), storage.AddressChange{
		Link: mails[0].Message.Link, UserID: u.ID, SessionID: session.ID, Handle: storage.NewID("h"), FreshFor: time.Hour, From: TestOrigin,
	}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	return u
}
