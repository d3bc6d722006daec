package mail

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzCompose puts texts of strangers into a mail. Whatever they are, the mail has the headers of
// every mail, one recipient and two parts, and the parts have the texts.
// RC-20: Names in mails are escaped (ZITADEL CVE-2024-41953).
func FuzzCompose(f *testing.F) {
	f.Add("ada@example.com", "Hello", "text", "<p>text</p>")
	f.Add("o'hara@bücher.example", "Hello\r\nBcc: eve@example.com", ".\r\nMAIL FROM:<eve@example.com>", "<b>\x00\u202e")
	f.Add("ada@example.com\r\nBcc: eve@example.com", "", "", "")
	f.Add("ada@example.com", "=?utf-8?q?=0D=0ABcc:_eve@example.com?=", strings.Repeat("ä", 2000), "--\r\nContent-Type: text/html\r\n\r\nevil")
	f.Add("ada@example.com", "\xff\xfe", "a\rb\nc\r\n\r\n", strings.Repeat("=0D=0A", 20))
	from, err := ParseSender(`"Example, Inc." <no-reply@example.com>`)
	if err != nil {
		f.Fatal(err)
	}
	want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	f.Fuzz(func(t *testing.T, to, title, text, html string) {
		composed, err := compose(from, Message{ID: "m", To: to, Subject: title, Text: text, HTML: html, At: time.Unix(1_800_000_000, 0)})
		if err != nil {
			if _, envelope := Envelope(to); envelope == nil || !errors.Is(err, ErrRecipient) {
				t.Fatalf("to %q: %v", to, err)
			}
			return
		}
		var raw bytes.Buffer
		if _, err := composed.WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(raw.Bytes()) {
			if len(line) > 1000 || !bytes.HasSuffix(line, []byte("\r\n")) { // RFC 5321, section 4.5.3.1.6
				t.Fatalf("a line of %d bytes: %.60q", len(line), line)
			}
		}
		m, err := netmail.ReadMessage(&raw)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for name, values := range m.Header {
			if names = append(names, name); len(values) != 1 {
				t.Fatalf("%d headers %s", len(values), name)
			}
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Fatalf("headers %q, want %q", names, want)
		}
		envelope, _ := Envelope(to)
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != envelope {
			t.Fatalf("to %v, %v: want %s", list, err, envelope)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("subject %q, %v", got, err)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(m.Body, params["boundary"])
		for _, want := range []string{text, html} {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(quotedprintable.NewReader(part))
			// Go's encoder of the texts loses the line feed after a lone carriage return.
			if err != nil || !strings.Contains(want, "\r") && normal(string(got)) != normal(want) {
				t.Fatalf("part %q, %v: want %q", got, err, want)
			}
		}
		if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
			t.Fatalf("a third part, %v", err)
		}
	})
}

// normal writes the ends of lines as a line feed, and removes those at the end.
func normal(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
}
