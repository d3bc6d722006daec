package notice_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/mail"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// eachMail runs the test on every database with a mail server.
func eachMail(t *testing.T, f func(t *testing.T, b *providertest.Testbed, s *mailtest.Server)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		f(t, providertest.StartOn(t, backend, providertest.WithMail(s)), s)
	})
}

// resetPassword sets the password of a user, like the command of an operator.
func resetPassword(t *testing.T, b *providertest.Testbed, userID string) {
	t.Helper()
	_, err := b.DB.ResetPassword(t.Context(), storage.PasswordReset{UserID: userID, Hash: "x", Reason: "operator", From: storage.Origin{Actor: "cli", Address: "192.0.2.9"}}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
}

func TestMails_TellTheUserOfAChangedPassword(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		v := b.Visitor(t).SetUserAgent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		v.ChangePassword(t, providertest.Password, "another horse battery").WantText(t, "changed")
		if early := s.Received(); len(early) != 0 {
			t.Fatal("the mail was sent within the request")
		}
		b.SendMails(t)
		b.SendMails(t)
		got := s.Received()
		if len(got) != 1 {
			t.Fatalf("%d mails, want 1", len(got))
		}
		host := mustParse(t, b.Issuer).Host
		m := got[0]
		if m.From != "no-reply@example.com" || m.To[0] != providertest.Alice || m.Subject() != "Your password was changed" {
			t.Errorf("from %s to %s: %q", m.From, m.To, m.Subject())
		}
		at := b.Now().In(london(t)).Format("2 January 2006, ")
		for _, want := range []string{
			"The password of your account alice@example.com at " + host + " was changed.", "Time: " + at, "Network address: 127.0.0.1", "Browser: Firefox on Linux",
			"Contact the administrator of " + host + ", and choose a new password at once, which signs everybody out: " + " http://" + host + "/reset",
		} {
			if !strings.Contains(strings.ReplaceAll(m.Text, "\n", " "), want) {
				t.Errorf("%q is not in the text:\n%s", want, m.Text)
			}
		}
		for _, want := range []string{"<h1>Your password was changed</h1>", "<dt>Network address</dt>", `<html lang="en" dir="ltr">`} {
			if !strings.Contains(m.HTML, want) {
				t.Errorf("%q is not in the HTML:\n%s", want, m.HTML)
			}
		}
		if strings.Contains(m.HTML, "<img") || strings.Contains(m.HTML, "src=") {
			t.Errorf("the HTML loads something:\n%s", m.HTML)
		}
	})
}

// The very first sign-in tells nothing, and a known browser neither. A browser stays known after a
// sign-out.
func TestMails_TellOfASignInFromANewBrowser(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		signIn := func(v *providertest.Visitor) {
			t.Helper()
			v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
			b.SendMails(t)
		}
		first, second := b.Visitor(t), b.Visitor(t)
		signIn(first)
		if got := s.Received(); len(got) != 0 {
			t.Fatalf("the first sign-in: %+v", got)
		}
		signIn(second)
		got := s.Received()
		if len(got) != 1 || got[0].Subject() != "New sign-in to your account" || got[0].To[0] != providertest.Alice {
			t.Fatalf("a new browser: %+v", got)
		}
		for _, want := range []string{"Application: App app", "Network address: 127.0.0.1", b.Issuer + "/account/sessions"} {
			if !strings.Contains(got[0].Text, want) {
				t.Errorf("%q is not in the text:\n%s", want, got[0].Text)
			}
		}
		for _, v := range []*providertest.Visitor{first, second} {
			v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
			signIn(v)
		}
		if got := s.Received(); len(got) != 0 {
			t.Errorf("known browsers: %+v", got)
		}
	})
}

func TestMails_TellOfIdentitiesAndOfADisabledAccount(t *testing.T) {
	s := mailtest.Start(t, mailtest.WithoutTLS)
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		subjects := func() (list []string) {
			b.SendMails(t)
			for _, m := range s.Received() {
				list = append(list, m.Subject())
				if !strings.Contains(m.Text, "alice@example.com") {
					t.Errorf("%s does not name the account:\n%s", m.Subject(), m.Text)
				}
			}
			return list
		}
		v := b.Visitor(t)
		v.Account(t, "/account/identities")
		v.Connect(t, "google", "ada").WantAt(t, "/account/identities?done=linked")
		want(t, "connected", subjects(), "A Google account was connected")
		v.Submit(t, v.Get(t, b.Issuer+"/account/identities").UnlinkForms(t)[0])
		want(t, "disconnected", subjects(), "A Google account was disconnected")
		b.SetAliceEnabled(t, false)
		want(t, "disabled", subjects(), "Your account was disabled")
		b.SetAliceEnabled(t, true)
		want(t, "enabled", subjects(), "Your account was enabled")
	}, func(_ *providertest.Upstreams, c *provider.Config) {
		roots := c.Outbound.Roots // of the upstreams
		providertest.WithMail(s)(c)
		c.Outbound.Roots, c.Mail.Encryption = roots, mail.None
	})
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: mails %q, want %q", what, got, want)
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func london(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A mail about an operator's act does not show the operator's network address.
func TestMails_OperatorIsNamedWithoutAnAddress(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		resetPassword(t, b, b.Alice.ID)
		b.SendMails(t)
		got := s.Received()
		if len(got) != 1 || !strings.Contains(got[0].Text, "An administrator changed the password") || strings.Contains(got[0].Text, "192.0.2.9") {
			t.Errorf("got %+v", got)
		}
	})
}

func TestMails_SentAgainUntilAccepted(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		resetPassword(t, b, b.Alice.ID)
		answers := []int{451, 450, 421, 0}
		s.Refuse(providertest.Alice, func() error {
			code := answers[0]
			answers = answers[1:]
			if code == 0 {
				return nil
			}
			return mailtest.Status(code)
		})
		for _, wait := range []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute} {
			if wait > 0 {
				b.Advance(wait - time.Second)
				before := len(answers)
				b.SendMails(t)
				if len(answers) != before {
					t.Fatalf("tried a second before %s", wait)
				}
				b.Advance(time.Second)
			}
			b.Restarted(t, providertest.WithMail(s)).SendMails(t)
		}
		if got := s.Received(); len(got) != 1 || len(answers) != 0 {
			t.Errorf("%d mails, %d answers left, want 1 and none", len(got), len(answers))
		}
		b.Advance(24 * time.Hour)
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Error("sent again after it was accepted")
		}
	})
}

func TestMails_GivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		code        int
		tries       int
		wantedEvent string
	}{"temporary": {451, 11, "status_451"}, "final": {550, 1, "status_550"}} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t)
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				resetPassword(t, b, b.Alice.ID)
				tries := 0
				s.Refuse(providertest.Alice, func() error { tries++; return mailtest.Status(c.code) })
				for range 25 * 30 {
					b.SendMails(t)
					b.Advance(2 * time.Minute)
				}
				if tries != c.tries {
					t.Errorf("%d tries, want %d", tries, c.tries)
				}
				e := b.WantEvent(t, storage.MailFailed, b.Alice.ID)
				if e.Reason != c.wantedEvent || e.UserID != b.Alice.ID {
					t.Errorf("event %+v", e)
				}
				log := b.Log.String()
				if !strings.Contains(log, `"level":"ERROR","msg":"a mail is given up`) || strings.Contains(log, providertest.Alice) {
					t.Errorf("the log has no error line, or shows the address:\n%s", log)
				}
			}, providertest.WithMail(s))
		})
	}
}

// The mail server cannot be used: nothing is lost, and nothing is given up before its time.
func TestMails_ServerIsDown(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for i := range 40 {
			resetPassword(t, b, b.User(t, fmt.Sprintf("user%d@example.com", i), providertest.Password).ID)
		}
		broken := b.Node(t, providertest.WithMail(s), func(c *provider.Config) { c.Mail.Port = 1 })
		for range 5 {
			broken.SendMails(t)
			b.Advance(10 * time.Second)
		}
		for range 20 {
			b.Advance(time.Minute)
			b.SendMails(t)
		}
		if got := s.Received(); len(got) != 40 {
			t.Errorf("%d mails, want 40", len(got))
		}
		if s.Connections() > 6 {
			t.Errorf("%d connections for 40 mails", s.Connections())
		}
	})
}

func TestMails_TwoNodesSendEachOnce(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for i := range 40 {
			resetPassword(t, b, b.User(t, fmt.Sprintf("user%d@example.com", i), providertest.Password).ID)
		}
		nodes := []*providertest.Testbed{b, b.Node(t, providertest.WithMail(s))}
		var all sync.WaitGroup
		for _, node := range nodes {
			all.Go(func() {
				for range 5 {
					_ = node.SendMailsOnce(t.Context())
				}
			})
		}
		all.Wait()
		b.SendMails(t)
		times := map[string]int{}
		for _, m := range s.Received() {
			times[m.To[0]]++
		}
		if len(times) != 40 {
			t.Errorf("%d people got a mail, want 40", len(times))
		}
		for address, n := range times {
			if n != 1 {
				t.Errorf("%s got %d mails", address, n)
			}
		}
	})
}

// A node stops while it holds the lease of a mail, after the server has accepted it: the mail is
// sent again, with the same Message-ID.
func TestMails_SurviveAKilledNode(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		resetPassword(t, b, b.Alice.ID)
		claimed, err := b.DB.ClaimMails(t.Context(), storage.MailClaim{Limit: 10, Lease: time.Minute}, b.Now())
		if err != nil || len(claimed) != 1 {
			t.Fatalf("%v, %v", claimed, err)
		}
		b.SendMails(t)
		if len(s.Received()) != 0 {
			t.Error("sent during the lease of another node")
		}
		b.Advance(time.Minute)
		b.SendMails(t)
		if got := s.Received(); len(got) != 1 {
			t.Errorf("%d mails after the lease, want 1", len(got))
		}
	})
}

// A mail whose link was replaced, or has ended with its account, is needless: it is not sent and is no
// failure. One whose link has expired was wanted, so it is a failure.
func TestMails_DeadLinkIsNotSent(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		ask := func(times int) {
			for range times {
				v := b.Visitor(t)
				v.Submit(t, v.Get(t, b.Issuer+"/reset").Form(t), "email", providertest.Alice).WantAt(t, "/reset?done=mail")
			}
		}
		ask(2)
		b.SendMails(t)
		if got := s.Received(); len(got) != 1 {
			t.Errorf("%d mails, want only the one with the newer link", len(got))
		}
		ask(1)
		if err := b.DB.SignOutEverywhere(t.Context(), b.Alice.ID, "asked", storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.SendMails(t)
		left, err := b.DB.Mails(t.Context(), storage.MailFilter{}, 10)
		if err != nil || len(left) != 1 || left[0].DeliveredAt == 0 {
			t.Errorf("mails %+v, %v, want only the delivered one", left, err)
		}
		failed, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.MailFailed}, 1)
		if err != nil || len(failed) != 0 {
			t.Errorf("events %+v, %v: nobody missed a mail", failed, err)
		}
		b.Advance(15 * time.Minute)
		ask(1)
		b.Advance(storage.LinkReset.Life())
		b.SendMails(t)
		if e := b.WantEvent(t, storage.MailFailed, b.Alice.ID); e.Reason != "link_expired" {
			t.Errorf("event %+v", e)
		}
		if got := s.Received(); len(got) != 0 {
			t.Errorf("%d mails with an expired link", len(got))
		}
	})
}

// An old mail, such as one from before the mail server was configured, is not sent.
func TestMails_TooOldOnesAreNotSent(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		resetPassword(t, b, b.Alice.ID)
		b.Advance(24*time.Hour + time.Second)
		b.SendMails(t)
		if got := s.Received(); len(got) != 0 {
			t.Errorf("sent %+v", got)
		}
		if e := b.WantEvent(t, storage.MailFailed, b.Alice.ID); e.Reason != "too_old" {
			t.Errorf("event %+v", e)
		}
	})
}

// A mail that cannot be made now is tried again later. The others of its batch are sent.
func TestMails_OneThatCannotBeMadeDoesNotHoldUpOthers(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		first, next []string // the recipients of the mails that are sent now and ten seconds later
	}{
		"broken row":         {errors.New("a broken row"), []string{"b@example.com", "c@example.com"}, []string{"a@example.com"}},
		"database is absent": {storage.ErrUnavailable, nil, []string{"a@example.com", "b@example.com", "c@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
				var fails atomic.Bool
				s := mailtest.Start(t)
				b := providertest.Start(t, backend.OpenFaulty(t, func(name string) storage.Fault {
					if name == "read user" && fails.CompareAndSwap(true, false) {
						return storage.Fault{When: storage.AtOnce, Err: c.err}
					}
					return storage.Fault{}
				}), providertest.WithMail(s))
				for _, address := range []string{"a@example.com", "b@example.com", "c@example.com"} {
					resetPassword(t, b, b.User(t, address, providertest.Password).ID)
					b.Advance(time.Millisecond)
				}
				fails.Store(true)
				if err := b.SendMailsOnce(t.Context()); (err != nil) != errors.Is(c.err, storage.ErrUnavailable) {
					t.Errorf("send mails: %v", err)
				}
				wantRecipients(t, s, c.first)
				b.Advance(10 * time.Second)
				b.SendMails(t)
				wantRecipients(t, s, c.next)
			})
		})
	}
}

func wantRecipients(t *testing.T, s *mailtest.Server, want []string) {
	t.Helper()
	var got []string
	for _, m := range s.Received() {
		got = append(got, m.To...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("mails to %q, want %q", got, want)
	}
}

// During an update, a newer release beside this one writes mails for which this one has no text.
// They wait for a node of the newer release, and more than a batch of them holds up no other mail.
func TestMails_UnknownKindsAreLeftToANewerRelease(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for range 40 {
			mail := &storage.MailDraft{Kind: "of_a_newer_release", Recipient: "new@example.com"}
			if err := b.DB.RequestMail(t.Context(), storage.MailRequest{Mail: mail}, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		b.Advance(time.Millisecond)
		resetPassword(t, b, b.Alice.ID)
		b.SendMails(t)
		wantRecipients(t, s, []string{providertest.Alice})
		waiting, err := b.DB.ClaimMails(t.Context(), storage.MailClaim{Kinds: []storage.MailKind{"of_a_newer_release"}, Limit: 100, Lease: time.Minute}, b.Now())
		if err != nil || len(waiting) != 40 || waiting[0].Tries != 1 || waiting[0].LastError != "" {
			t.Errorf("%d mails wait for a newer release, %v, want 40 that were not tried", len(waiting), err)
		}
	})
}

// The batches of one call share a connection.
func TestMails_BatchesShareAConnection(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		for i := range 32 {
			resetPassword(t, b, b.User(t, fmt.Sprintf("user%d@example.com", i), providertest.Password).ID)
		}
		b.SendMails(t)
		b.SendMails(t)
		if got := s.Received(); len(got) != 32 || s.Connections() != 1 {
			t.Errorf("%d mails over %d connections, want 32 over one", len(got), s.Connections())
		}
	})
}

// The delay of the next try counts from the end of a long batch.
func TestMails_NextTryCountsFromTheFailure(t *testing.T) {
	eachMail(t, func(t *testing.T, b *providertest.Testbed, s *mailtest.Server) {
		resetPassword(t, b, b.Alice.ID)
		s.Refuse(providertest.Alice, func() error { b.Advance(80 * time.Second); return mailtest.Status(451) })
		begun := b.Now()
		b.SendMails(t)
		mails, err := b.DB.Mails(t.Context(), storage.MailFilter{}, 10)
		if err != nil || len(mails) != 1 || mails[0].DueAt < storage.At(begun.Add(90*time.Second)) {
			t.Errorf("mails %+v, %v, want one that is due ten seconds after the answer", mails, err)
		}
	})
}

// Without a mail server, and after a return to an older release, mails wait that no node sends.
// They are given up after a day.
func TestMails_NobodySendsThemSoTheyAreGivenUp(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		for i := range 600 { // more than a batch of the sweep
			mail := &storage.MailDraft{Kind: storage.MailNewBrowser, Recipient: "ada@example.com"}
			if i == 0 {
				mail.Kind = "of_a_newer_release"
			}
			if err := b.DB.RequestMail(t.Context(), storage.MailRequest{Mail: mail}, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		states := func(d time.Duration) map[storage.MailState]int {
			t.Helper()
			for end := b.Now().Add(d); b.Now().Before(end); b.Advance(10 * time.Minute) {
				if err := b.SweepOnce(t.Context(), b.Now()); err != nil {
					t.Fatal(err)
				}
			}
			mails, err := b.DB.Mails(t.Context(), storage.MailFilter{}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			count := map[storage.MailState]int{}
			for _, m := range mails {
				count[m.State()]++
			}
			return count
		}
		if got := states(23 * time.Hour); got[storage.MailWaiting] != 600 {
			t.Errorf("after 23 hours: %v", got)
		}
		if got := states(2 * time.Hour); got[storage.MailGivenUp] != 600 {
			t.Errorf("after 25 hours: %v", got)
		}
	})
}

// Anybody can register a client with the name of another. The mail does not repeat the name.
func TestMails_UnapprovedClientIsNotNamed(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := mailtest.Start(t)
		b := providertest.StartOn(t, backend, providertest.WithMail(s), providertest.WithRegistration(directory.RegistrationOpen))
		client := b.RegisterItself(t, "", `{"redirect_uris":["https://evil.example/cb"],"client_name":"Your Bank"}`)["client_id"].(string)
		for range 2 {
			v := b.Visitor(t)
			v.SignIn(t, v.Get(t, b.AuthorizeURL("client_id", client, "redirect_uri", "https://evil.example/cb")), providertest.Alice, providertest.Password)
		}
		b.SendMails(t)
		got := s.Received()
		if len(got) != 1 || got[0].Subject() != "New sign-in to your account" {
			t.Fatalf("mails %+v, want one of the second browser", got)
		}
		if strings.Contains(got[0].Text, "Bank") || strings.Contains(got[0].HTML, "Bank") || strings.Contains(got[0].Text, "Application") {
			t.Errorf("the mail names the client:\n%s", got[0].Text)
		}
	})
}
