package mail

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"signet/federation/foreign"
)

// Message is one mail.
type Message struct {
	ID      string // the same at each try: the Message-ID is made from it
	To      string
	Subject string
	Text    string
	HTML    string
	At      time.Time // when it was written
}

// longestSubject is the longest subject in characters.
const longestSubject = 200

// messageID returns the Message-ID without its brackets (RFC 5322, section 3.6.4). It is a hash
// and does not show the ID of the row.
func messageID(id, domain string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:18]) + "@" + domain
}

// compose makes the message that is sent: a text, and the same text in HTML (RFC 2046, section
// 5.1.4). Nothing in it tells the sender whether it was read. ErrRecipient.
func compose(from Sender, m Message) (*gomail.Msg, error) {
	to, err := Envelope(m.To)
	if err != nil {
		return nil, err
	}
	composed := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	if from.name != "" {
		err = composed.FromFormat(from.name, from.address)
	} else {
		err = composed.From(from.address)
	}
	if err != nil {
		return nil, fmt.Errorf("compose mail: sender: %w", err)
	}
	if err := composed.To(to); err != nil {
		return nil, ErrRecipient // the address was checked; go-mail checks it again
	}
	composed.SetMessageIDWithValue(messageID(m.ID, from.domain()))
	composed.SetDateWithValue(m.At)
	composed.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, section 5
	composed.Subject(subject(m.Subject))
	composed.SetBodyString(gomail.TypeTextPlain, m.Text)
	composed.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return composed, nil
}

// subject is one line without hidden characters. An encoded word (RFC 2047) in the name of an
// application would become other text in the reader's program, so its beginning is taken apart.
func subject(text string) string {
	runes := []rune(strings.ReplaceAll(foreign.ForPage(text), "=?", "= ?"))
	if len(runes) > longestSubject {
		return string(runes[:longestSubject-1]) + "…"
	}
	return string(runes)
}
