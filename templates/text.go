package templates

import (
	"fmt"
	"strings"
	"unicode"

	"signet/federation/foreign"
)

// Longest texts, in runes. An e-mail address has at most 254 octets (RFC 5321,
// section 4.5.3.1.3); a longer text was not typed by a person.
const (
	nameLength = 60
	lineLength = 254
	textLength = 1000
)

// name cleans the name of a person or an application.
func name(s string) string { return cut(foreign.ForPage(s), nameLength) }

// line cleans an address, a host or a code.
func line(s string) string { return cut(foreign.ForPage(s), lineLength) }

// text cleans a sentence.
func text(s string) string { return cut(foreign.ForPage(s), textLength) }

// cut shortens to at most n runes, the last of them an ellipsis.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}

// escaped shows hidden characters as \uXXXX instead of dropping them, where the
// reader compares or debugs. In JSON it is the same text, spelled otherwise.
func escaped(s string) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\n' || !foreign.IsHidden(r):
			out.WriteRune(r)
		case r > 0xFFFF:
			r -= 0x10000 // as a surrogate pair (RFC 8259, section 7)
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

func upper(r rune) string { return string(unicode.ToUpper(r)) }

// lines cleans a text that may have several lines, each by itself.
func lines(s string) string {
	list := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range list {
		list[i] = foreign.ForPage(list[i])
	}
	return strings.Join(list, "\n")
}
