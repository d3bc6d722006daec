package words

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"

	"signet/federation/foreign"
)

// Count is the placeholder of the number that chooses the plural form.
const Count = "Count"

// longest is how many characters of a value a sentence shows.
const longest = 1000

var (
	placeholder = regexp.MustCompile(`\{\{\.([A-Z][A-Za-z]*)\}\}`)
	tag         = regexp.MustCompile(`</?[^>]*>?`)
)

// allowed are the tags that a sentence may contain.
var allowed = []string{"<strong>", "</strong>", "<code>", "</code>", "<bdi>", "</bdi>", "<a>", "</a>"}

// readMessage checks a sentence and lists its placeholders.
func readMessage(m *i18n.Message) (message, error) {
	read := message{plural: m.Zero+m.One+m.Two+m.Few+m.Many != ""}
	for _, form := range []string{m.Zero, m.One, m.Two, m.Few, m.Many, m.Other} {
		if form != "" {
			read.forms = append(read.forms, form)
		}
		for _, match := range placeholder.FindAllStringSubmatch(form, -1) {
			if !slices.Contains(read.placeholders, match[1]) {
				read.placeholders = append(read.placeholders, match[1])
			}
		}
		literal := placeholder.ReplaceAllString(form, "·") // not "": <a{{.Name}}> must not become <a>
		if strings.Contains(literal, "{{") || strings.Contains(literal, "}}") {
			return read, errors.New("a placeholder is not written {{.Name}}")
		}
		if err := checkMarkup(literal); err != nil {
			return read, err
		}
		read.markup = read.markup || strings.ContainsAny(literal, "<>")
		if strings.Contains(literal, "<a>") && !slices.Contains(read.placeholders, "a") {
			read.placeholders = append(read.placeholders, "a")
		}
	}
	read.only = split(m.Other)
	return read, nil
}

// checkMarkup accepts the allowed tags, each closed before the next one opens a second
// time, at most one <a>.
func checkMarkup(text string) error {
	var open []string
	for _, found := range tag.FindAllString(text, -1) {
		if !slices.Contains(allowed, found) {
			return fmt.Errorf("the markup %s is not allowed", found)
		}
		if name, closes := strings.CutPrefix(found, "</"); closes {
			if len(open) == 0 || open[len(open)-1] != "<"+name {
				return fmt.Errorf("%s closes nothing", found)
			}
			open = open[:len(open)-1]
			continue
		}
		open = append(open, found)
	}
	switch {
	case len(open) > 0:
		return fmt.Errorf("%s is not closed", open[0])
	case strings.ContainsAny(tag.ReplaceAllString(text, ""), "<>"):
		return errors.New("there is a lone < or >")
	case strings.Count(text, "<a>") > 1:
		return errors.New("there is more than one <a>")
	}
	return nil
}

// parser reads the text of a sentence: placeholders, and nothing else of text/template.
type parser struct{}

// Cacheable lets go-i18n parse each sentence once.
func (parser) Cacheable() bool { return true }

// Parse splits a sentence at its placeholders.
func (parser) Parse(text, _, _ string) (template.ParsedTemplate, error) { return split(text), nil }

func split(text string) (parts pieces) {
	at := 0
	for _, match := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		parts = append(parts, piece{literal: text[at:match[0]], name: text[match[2]:match[3]]})
		at = match[1]
	}
	return append(parts, piece{literal: text[at:]})
}

// pieces are a sentence: each literal is followed by the placeholder of that name.
type pieces []piece

type piece struct{ literal, name string }

// size is the length of the literals.
func (p pieces) size() (n int) {
	for _, part := range p {
		n += len(part.literal)
	}
	return n
}

// filling are the values for one rendering.
type filling struct {
	language *Language
	values   *[most]value
	html     bool // the result is markup, otherwise plain text
	markup   bool // the literals are markup
}

// Execute puts the values in.
func (p pieces) Execute(data any) (string, error) {
	f := data.(*filling)
	var out strings.Builder
	out.Grow(2 * p.size())
	for _, part := range p {
		if err := f.writeLiteral(&out, part.literal); err != nil {
			return "", err
		}
		if part.name == "" {
			continue
		}
		if err := f.writeValue(&out, part.name, strings.HasSuffix(part.literal, "<code>")); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func (f *filling) writeLiteral(out *strings.Builder, text string) error {
	if !f.html || !f.markup {
		if f.html {
			text = html.EscapeString(text)
		}
		out.WriteString(text)
		return nil
	}
	before, after, found := strings.Cut(text, "<a>")
	out.WriteString(before)
	if !found {
		return nil
	}
	for _, v := range f.values {
		if link, ok := v.value.(Link); ok && v.name == "a" {
			out.WriteString("<a")
			if link.ID != "" {
				out.WriteString(` id="` + html.EscapeString(link.ID) + `"`)
			}
			out.WriteString(` href="` + html.EscapeString(link.Href) + `">` + after)
			return nil
		}
	}
	return errors.New("<a> has no link")
}

// writeValue writes the value of a placeholder. A code needs no <bdi>.
func (f *filling) writeValue(out *strings.Builder, name string, isCode bool) error {
	for _, v := range f.values {
		if v.name != name {
			continue
		}
		switch v := v.value.(type) {
		case int:
			out.WriteString(strconv.Itoa(v))
		case Sentence:
			text, err := f.language.Text(v)
			if err != nil {
				return err
			}
			f.write(out, text)
		case string:
			if f.html && !isCode {
				out.WriteString("<bdi>")
				defer out.WriteString("</bdi>")
			}
			f.write(out, clean(v))
		default:
			return fmt.Errorf("placeholder %s cannot be a %T", name, v)
		}
		return nil
	}
	return fmt.Errorf("placeholder %s has no value", name)
}

func (f *filling) write(out *strings.Builder, text string) {
	if f.html {
		text = html.EscapeString(text)
	}
	out.WriteString(text)
}

// clean removes characters that hide something and limits the length.
func clean(text string) string {
	if isPlain(text) {
		return text
	}
	runes := []rune(foreign.ForPage(text))
	if len(runes) <= longest {
		return string(runes)
	}
	return strings.TrimRight(string(runes[:longest-1]), " ") + "…"
}

// isPlain reports whether clean has nothing to do, which is so for most values.
func isPlain(text string) bool {
	space := true
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' || text[i] == ' ' && space {
			return false
		}
		space = text[i] == ' '
	}
	return len(text) <= longest && (text == "" || !space)
}
