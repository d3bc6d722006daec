package mail_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/provider/mail"
	"signet/provider/mail/mailtest"
)

func configFor(s *mailtest.Server, change ...func(*mail.Config)) mail.Config {
	from, err := mail.ParseSender("Example <no-reply@example.com>")
	if err != nil {
		panic(err)
	}
	c := mail.Config{Host: s.Host, Port: s.Port, From: from, Roots: s.Roots, Name: "id.example.com"}
	for _, f := range change {
		f(&c)
	}
	return c
}

func to(address string) mail.Message {
	return mail.Message{ID: "mail of " + address, To: address, Subject: "Grüße", Text: "A text.\n", HTML: "<p>A text.</p>\n", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// send sends mails over a new server object and returns the codes of their failures.
func send(t *testing.T, c mail.Config, list ...mail.Message) []string {
	t.Helper()
	return sendWithin(t, time.Minute, c, list...) // a slow machine is no reason to fail
}

// sendWithin is send with another limit for each step.
func sendWithin(t *testing.T, patience time.Duration, c mail.Config, list ...mail.Message) []string {
	t.Helper()
	server := mail.NewServer(c, patience)
	defer server.Close()
	return codesOf(t, server.Send(t.Context(), list))
}

// short is the limit of steps that never end.
const short = 300 * time.Millisecond

func codesOf(t *testing.T, results []error) (codes []string) {
	t.Helper()
	for _, err := range results {
		var failed *mail.Failure
		switch {
		case err == nil:
			codes = append(codes, "")
		case errors.Is(err, mail.ErrNotTried):
			codes = append(codes, "not tried")
		case errors.As(err, &failed):
			code := failed.Code
			if failed.Final {
				code += " final"
			}
			codes = append(codes, code)
		default:
			t.Errorf("%v is no failure", err)
		}
	}
	return codes
}

func wantCodes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestServer_SendsOverEachEncryption(t *testing.T) {
	for name, c := range map[string]struct {
		server     mailtest.Option
		encryption mail.Encryption
	}{
		"starttls": {mailtest.WithStartTLS, ""}, "tls": {mailtest.WithTLS, mail.TLS}, "none": {mailtest.WithoutTLS, mail.None},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, c.server, mailtest.WithLogin("signet", "secret"))
			config := configFor(s, func(m *mail.Config) {
				m.Encryption, m.Username, m.Password = c.encryption, "signet", federation.NewSecret("secret")
			})
			wantCodes(t, send(t, config, to("a@example.com"), to("b@example.com")), "", "")
			got := s.Received()
			if len(got) != 2 || s.Connections() != 1 {
				t.Fatalf("%d mails over %d connections, want 2 over one", len(got), s.Connections())
			}
			m := got[0]
			if m.From != "no-reply@example.com" || m.To[0] != "a@example.com" || m.Subject() != "Grüße" || m.Text != "A text.\n" || m.HTML != "<p>A text.</p>\n" {
				t.Errorf("got %+v", m)
			}
			for header, want := range map[string]string{
				"Auto-Submitted": "auto-generated", "Date": "Sun, 01 Mar 2026 12:00:00 +0000", "From": `"Example" <no-reply@example.com>`, "To": "<a@example.com>",
				"List-Unsubscribe": "", "Disposition-Notification-To": "", "X-Mailer": "", "User-Agent": "", "Reply-To": "",
			} {
				if m.Header.Get(header) != want {
					t.Errorf("%s: got %q, want %q", header, m.Header.Get(header), want)
				}
			}
			config.Password = federation.NewSecret("wrong")
			wantCodes(t, send(t, config, to("a@example.com"), to("b@example.com")), "authentication_refused", "not tried")
		})
	}
}

// A network attacker can remove STARTTLS from the answer of the server. Neither a password nor a
// mail is sent then.
func TestServer_NeverFallsBackToPlaintext(t *testing.T) {
	for name, c := range map[string]struct {
		server mailtest.Option
		change func(*mail.Config)
		want   string
	}{
		"no STARTTLS":          {mailtest.WithoutTLS, func(*mail.Config) {}, "no_starttls"},
		"TLS on a plain port":  {mailtest.WithoutTLS, func(m *mail.Config) { m.Encryption = mail.TLS }, "tls_failed"},
		"unknown certificate":  {mailtest.WithStartTLS, func(m *mail.Config) { m.Roots = nil }, "certificate_refused"},
		"other name":           {mailtest.WithStartTLS, func(m *mail.Config) { m.Host = "localhost" }, "certificate_refused"},
		"TLS, wrong authority": {mailtest.WithTLS, func(m *mail.Config) { m.Encryption, m.Roots = mail.TLS, nil }, "certificate_refused"},
		"none to another host": {mailtest.WithoutTLS, func(m *mail.Config) { m.Encryption, m.Host = mail.None, "mail.example.com" }, "unreachable"},
		"login is not offered": {mailtest.WithStartTLS, func(m *mail.Config) { m.Username, m.Password = "a", federation.NewSecret("b") }, "authentication_unsupported"},
		"nobody listens":       {mailtest.WithStartTLS, func(m *mail.Config) { m.Port = 1 }, "unreachable"},
		"login is needed":      {mailtest.WithLogin("a", "b"), func(*mail.Config) {}, "status_530"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, c.server)
			wantCodes(t, send(t, configFor(s, c.change), to("a@example.com")), c.want)
			if got := s.Received(); len(got) != 0 {
				t.Errorf("received %v", got)
			}
		})
	}
}

func TestServer_RefusalOfOneMailDoesNotStopTheOthers(t *testing.T) {
	s := mailtest.Start(t)
	for address, code := range map[string]int{"grey@example.com": 451, "full@example.com": 452, "none@example.com": 550, "bye@example.com": 421} {
		s.Refuse(address, func() error { return mailtest.Status(code) })
	}
	wantCodes(t, send(t, configFor(s), to("grey@example.com"), to("full@example.com"), to("none@example.com"), to("a@example.com"), to("bye@example.com"), to("b@example.com")),
		"status_451", "status_452", "status_550 final", "", "status_421", "not tried")
	s.OnData(func() error { return mailtest.Status(554) })
	wantCodes(t, send(t, configFor(s), to("a@example.com"), to("b@example.com")), "status_554 final", "status_554 final")
	s.OnData(func() error { return mailtest.Status(450) })
	wantCodes(t, send(t, configFor(s), to("a@example.com")), "status_450")
}

// A server that does not answer costs its time limit once, and one that breaks off after the
// mail has arrived gets it again, with the same Message-ID.
func TestServer_HangsAndBreaksOff(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := mailtest.Start(t)
	hanging := configFor(s, func(m *mail.Config) { m.Port = silent.Addr().(*net.TCPAddr).Port })
	wantCodes(t, sendWithin(t, short, hanging, to("a@example.com"), to("b@example.com")), "timeout", "not tried")
	encrypted := mailtest.Start(t, mailtest.WithTLS) // waits for a handshake, and the client for a greeting
	wantCodes(t, sendWithin(t, short, configFor(encrypted), to("a@example.com")), "timeout")

	release := make(chan struct{})
	s.OnData(func() error { <-release; return nil })
	wantCodes(t, sendWithin(t, 3*time.Second, configFor(s), to("a@example.com")), "timeout")
	close(release)
	s.OnData(func() error { return mailtest.ErrDie })
	wantCodes(t, send(t, configFor(s), to("a@example.com")), "connection_lost")
	s.OnData(nil)
	wantCodes(t, send(t, configFor(s), to("a@example.com")), "")
	got := s.Received()
	if len(got) != 3 || got[0].Header.Get("Message-Id") == "" || got[0].Header.Get("Message-Id") != got[2].Header.Get("Message-Id") {
		t.Errorf("%d mails, the first %v", len(got), got[0].Header)
	}
}

func TestServer_ContextEndsACall(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := mailtest.Start(t)
	server := mail.NewServer(configFor(s, func(m *mail.Config) { m.Port = silent.Addr().(*net.TCPAddr).Port }), time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if codes := codesOf(t, server.Send(ctx, []mail.Message{to("a@example.com")})); codes[0] == "" || time.Since(begun) > 10*time.Second {
		t.Errorf("%q after %s", codes, time.Since(begun))
	}
}

// A call whose context ends after it leaves the connection open for the next call. Close says QUIT.
func TestServer_ConnectionOutlivesTheContextOfACall(t *testing.T) {
	s := mailtest.Start(t, mailtest.WithoutTLS)
	server := mail.NewServer(configFor(s, func(m *mail.Config) { m.Encryption = mail.None }), time.Minute)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		wantCodes(t, codesOf(t, server.Send(ctx, []mail.Message{to("a@example.com")})), "")
		cancel()
	}
	server.Close()
	if s.Connections() != 1 || s.Quits() != 1 {
		t.Errorf("%d connections and %d QUIT, want one of each", s.Connections(), s.Quits())
	}
}

// Servers repeat the recipient in other forms, or name the mailbox to which they forward.
func TestServer_CauseHasNoAddressOfARecipient(t *testing.T) {
	const recipient, envelope = "Ada.Lovelace@BÜCHER.example", "Ada.Lovelace@xn--bcher-kva.example"
	for answer, want := range map[string]string{
		"<" + envelope + "> unknown":                  "<the recipient> unknown",
		"ada.lovelace@XN--BCHER-KVA.example: no such": "the recipient: no such",
		recipient + " is full":                        "the recipient is full",
		"user ADA.LOVELACE, ada.lovelace are unknown": "user the recipient, the recipient are unknown",
		"forwarded to ada1815@mail.example.net":       "forwarded to the recipient",
		"no-reply@example.com may not send":           "no-reply@example.com may not send",
		"policy 5.7.1 refuses adaptations":            "policy 5.7.1 refuses adaptations",
	} {
		s := mailtest.Start(t)
		s.Refuse(envelope, func() error { return mailtest.Answer(550, answer) })
		server := mail.NewServer(configFor(s), time.Minute)
		results := server.Send(t.Context(), []mail.Message{to(recipient)})
		server.Close()
		failed, is := errors.AsType[*mail.Failure](results[0])
		if !is || failed.Code != "status_550" || !strings.Contains(failed.Text, want) || strings.Contains(strings.ToLower(failed.Text), "lovelace") {
			t.Errorf("%q: %v, want the cause %q", answer, results[0], want)
		}
	}
}

// A connection that the server has closed between two calls is opened again.
func TestServer_ReopensAClosedConnection(t *testing.T) {
	s := mailtest.Start(t)
	server := mail.NewServer(configFor(s), time.Minute)
	defer server.Close()
	s.Refuse("bye@example.com", func() error { return mailtest.ErrDie })
	wantCodes(t, codesOf(t, server.Send(t.Context(), []mail.Message{to("a@example.com")})), "")
	wantCodes(t, codesOf(t, server.Send(t.Context(), []mail.Message{to("bye@example.com")})), "connection_lost")
	wantCodes(t, codesOf(t, server.Send(t.Context(), []mail.Message{to("b@example.com")})), "")
	if s.Connections() != 2 {
		t.Errorf("%d connections, want 2", s.Connections())
	}
}

// RFC 5321 has no such addresses, or only some servers transport them. None of them reaches the
// server, and none adds a header or a recipient.
func TestServer_HostileTextsAddNothing(t *testing.T) {
	s := mailtest.Start(t)
	var list []mail.Message
	for _, address := range []string{
		"", "a", "a@example.com\r\nBcc: eve@example.com", "a@example.com,eve@example.com", "a@example.com> SIZE=1", "<a@example.com>",
		"a@b@example.com", "jörg@example.com", "a\u202e@example.com", "a@exa\u202emple.com", strings.Repeat("a", 65) + "@example.com",
		"a@" + strings.Repeat("a.", 130) + "example.com", "\"a b\"@example.com", "a@[127.0.0.1]", " a@example.com", "a@example.com.",
	} {
		list = append(list, to(address))
	}
	for i, code := range send(t, configFor(s), list...) {
		if code != "recipient_invalid final" {
			t.Errorf("%q: %q, want it to be refused", list[i].To, code)
		}
	}
	if s.Connections() != 0 {
		t.Errorf("%d connections", s.Connections())
	}

	idn := to("O'Hara+x@BÜCHER.example")
	idn.Subject = "Hello\r\nBcc: eve@example.com\r\n\r\n\u202eevil" + strings.Repeat("ä", 500)
	idn.Text = "line\r\n.\r\nMAIL FROM:<eve@example.com>\r\n"
	wantCodes(t, send(t, configFor(s), idn), "")
	got := s.Received()
	if len(got) != 1 || len(got[0].To) != 1 || got[0].To[0] != "O'Hara+x@xn--bcher-kva.example" || got[0].Header.Get("Bcc") != "" {
		t.Fatalf("got %+v", got)
	}
	if subject := got[0].Subject(); !strings.HasPrefix(subject, "Hello Bcc: eve@example.com evilää") || len([]rune(subject)) != 200 {
		t.Errorf("subject %q", subject)
	}
	for line := range strings.Lines(got[0].Raw) {
		if len(line) > 998 { // RFC 5322, section 2.1.1
			t.Errorf("a line has %d bytes", len(line))
		}
	}
}

func FuzzParseSender(f *testing.F) {
	for _, text := range []string{"a@example.com", "Example <a@example.com>", `"a, b" <a@example.com>`, "=?utf-8?q?a=0Ab?= <a@example.com>", "a@b@c", "<>", "a <b> <c@d>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sender, err := mail.ParseSender(text)
		if err == nil && (!sender.IsSet() || strings.ContainsAny(fmt.Sprint(sender), "\r\n\x00")) {
			t.Errorf("%q is read as %q", text, fmt.Sprint(sender))
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	for _, text := range []string{"a@example.com", "a@bücher.example", "a@b@c", "a@example.com\r\nRCPT TO:<b@c>", "ä@example.com", "a@xn--a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := mail.Envelope(text)
		if err != nil {
			return
		}
		for _, r := range address {
			if r <= ' ' || r > '~' || strings.ContainsRune("<>(),:;\\\"[]", r) {
				t.Errorf("%q gives %q", text, address)
			}
		}
		if again, err := mail.Envelope(address); err != nil || again != address {
			t.Errorf("%q gives %q, which gives %q, %v", text, address, again, err)
		}
	})
}
