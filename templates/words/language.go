package words

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// Language is the catalog in one language. It never changes after Read and may be used by
// many goroutines.
type Language struct {
	Tag       string // "en", for the attribute lang
	Direction string // "ltr" or "rtl", for the attribute dir

	plain     map[string]string  // sentences without placeholders and plural forms
	messages  map[string]message // all sentences
	localizer *i18n.Localizer
}

// message is a sentence as the file has it.
type message struct {
	plural       bool // it has forms beside "other"
	markup       bool
	placeholders []string
	forms        []string // those that the file has
	only         pieces   // the one form of a sentence without plural
}

//go:embed en.toml
var english []byte

// English is the language in which every sentence is written first.
var English = sync.OnceValue(func() *Language {
	l, err := Read("en.toml", english)
	if err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	return l
})

// Read reads a language from a file of go-i18n. The path ends with the language's tag and
// ".toml". It refuses sentences with markup that pages must not contain.
func Read(path string, file []byte) (*Language, error) {
	parsed, err := i18n.ParseMessageFileBytes(file, path, map[string]i18n.UnmarshalFunc{"toml": toml.Unmarshal})
	if err != nil {
		return nil, fmt.Errorf("read sentences: %w", err)
	}
	bundle := i18n.NewBundle(parsed.Tag)
	if err := bundle.AddMessages(parsed.Tag, parsed.Messages...); err != nil {
		return nil, fmt.Errorf("read sentences: %w", err)
	}
	l := &Language{
		Tag: parsed.Tag.String(), Direction: directionOf(parsed.Tag),
		plain: map[string]string{}, messages: make(map[string]message, len(parsed.Messages)),
		localizer: i18n.NewLocalizer(bundle, parsed.Tag.String()),
	}
	for _, m := range parsed.Messages {
		read, err := readMessage(m)
		if err != nil {
			return nil, fmt.Errorf("read sentence %s of %s: %w", m.ID, path, err)
		}
		l.messages[m.ID] = read
		if !read.plural && len(read.placeholders) == 0 && !read.markup {
			l.plain[m.ID] = m.Other
		}
	}
	return l, nil
}

// directionOf knows the languages that are written from right to left.
func directionOf(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm":
		return "rtl"
	}
	return "ltr"
}

// Text gives a sentence as plain text, its values without hidden characters. It fails if
// the catalog has no such sentence, or a placeholder has no value.
func (l *Language) Text(s Sentence) (string, error) {
	if s.values[0].name == "" {
		if text, ok := l.plain[s.key]; ok || s.key == "" {
			return text, nil
		}
	}
	return l.render(s, false)
}

// HTML gives a sentence as markup. Every value is escaped, and a string is wrapped in
// <bdi>, so that a name written from right to left does not reorder the sentence. The
// result is safe as the content of an element, and nowhere else.
func (l *Language) HTML(s Sentence) (string, error) {
	if s.IsZero() {
		return "", nil
	}
	return l.render(s, true)
}

func (l *Language) render(s Sentence, html bool) (string, error) {
	m, ok := l.messages[s.key]
	if !ok {
		return "", fmt.Errorf("no sentence %q in %s", s.key, l.Tag)
	}
	values := filling{language: l, values: &s.values, html: html, markup: m.markup}
	var text string
	var err error
	if m.plural {
		text, err = l.localizer.Localize(&i18n.LocalizeConfig{
			MessageID: s.key, TemplateParser: parser{}, TemplateData: &values, PluralCount: countOf(s),
		})
	} else {
		text, err = m.only.Execute(&values)
	}
	if err != nil {
		return "", fmt.Errorf("sentence %s: %w", s.key, err)
	}
	return text, nil
}

// countOf is the number that the words of a sentence depend on.
func countOf(s Sentence) any {
	for _, v := range s.values {
		if v.name == Count {
			return v.value
		}
	}
	return nil
}
