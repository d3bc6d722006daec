package templates

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"time"

	"signet/federation/foreign"
	"signet/templates/words"
)

// Mail is the content of a mail. It has no images and no addresses except the two links, so
// nothing tells the sender that it was read.
type Mail struct {
	Issuer    string // host of this server
	Subject   words.Sentence
	Lines     []words.Sentence // paragraphs
	Action    MailAction
	Facts     []MailFact
	Advice    words.Sentence // what to do if somebody else caused the mail
	AdviceURL string         // "": none
}

// MailAction is the link that a mail asks to open; without a URL there is none.
type MailAction struct {
	Label words.Sentence
	URL   string
}

// MailFact is a detail of the act that a mail tells of.
type MailFact struct{ Label, Value words.Sentence }

// Texts are the parts of a rendered mail.
type Texts struct{ Subject, Text, HTML string }

//go:embed mails/mail.html
var mailSource string

// parsedMails holds the parsed template by language.
var parsedMails sync.Map // *words.Language to *template.Template

func mailIn(language *words.Language) (*template.Template, error) {
	if known, found := parsedMails.Load(language); found {
		return known.(*template.Template), nil
	}
	parsed, err := template.New("mail").Funcs(mailFunctions(language)).Parse(mailSource)
	if err != nil {
		return nil, fmt.Errorf("parse mail: %w", err)
	}
	parsedMails.Store(language, parsed)
	return parsed, nil
}

var errMailLink = errors.New("the link of a mail is not an absolute http or https address")

func mailFunctions(language *words.Language) template.FuncMap {
	return template.FuncMap{
		"say":     sayIn(language),
		"sayHTML": sayHTMLIn(language),
		"lang":    func() string { return language.Tag },
		"dir":     func() string { return language.Direction },
		"line":    mailLine,
		"link": func(address string) (string, error) {
			u, err := url.Parse(address)
			if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
				return "", errMailLink
			}
			return address, nil
		},
	}
}

// mailLine cleans an address or a value, which may be as long as a link.
func mailLine(s string) string { return foreign.ForPage(s) }

// Render returns the mail in a language, as text and as HTML with the same content.
func (m Mail) Render(language *words.Language) (Texts, error) {
	subject, err := language.Text(m.Subject)
	if err != nil {
		return Texts{}, fmt.Errorf("render mail: %w", err)
	}
	text, err := m.text(language)
	if err != nil {
		return Texts{}, fmt.Errorf("render mail: %w", err)
	}
	parsed, err := mailIn(language)
	if err != nil {
		return Texts{}, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, m); err != nil {
		return Texts{}, fmt.Errorf("render mail: %w", err)
	}
	return Texts{subject, text, out.String()}, nil
}

// text is the mail as plain text: paragraphs with an empty line between them.
func (m Mail) text(language *words.Language) (string, error) {
	var paragraphs []string
	var failed error
	say := func(s words.Sentence) string {
		text, err := language.Text(s)
		failed = errors.Join(failed, err)
		return text
	}
	for _, line := range m.Lines {
		paragraphs = append(paragraphs, say(line))
	}
	if m.Action.URL != "" {
		paragraphs = append(paragraphs, say(m.Action.Label)+"\n"+mailLine(m.Action.URL))
	}
	var facts []string
	for _, f := range m.Facts {
		facts = append(facts, say(words.Say("mail.fact", "Label", f.Label, "Value", f.Value)))
	}
	if len(facts) > 0 {
		paragraphs = append(paragraphs, strings.Join(facts, "\n"))
	}
	if advice := say(m.Advice); advice != "" {
		paragraphs = append(paragraphs, advice)
	}
	if m.AdviceURL != "" {
		paragraphs = append(paragraphs, mailLine(m.AdviceURL))
	}
	paragraphs = append(paragraphs, "-- \n"+say(words.Say("mail.footer", "Issuer", m.Issuer)))
	return strings.Join(paragraphs, "\n\n") + "\n", failed
}

// WriteTime formats a moment with its zone, in that zone.
func WriteTime(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2 January 2006, 15:04 MST")
}
