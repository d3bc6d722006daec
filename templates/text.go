package templates

import (
	"fmt"
	"strings"
	"unicode"
)

// Longest texts, in runes. An e-mail address has at most 254 octets (RFC 5321,
// section 4.5.3.1.3); what is longer was not typed by a person.
const (
	nameLength = 60
	lineLength = 254
	textLength = 1000
)

// name cleans what somebody calls himself.
func name(s string) string { return cut(clean(s), nameLength) }

// line cleans an address, a host or a code.
func line(s string) string { return cut(clean(s), lineLength) }

// text cleans a sentence.
func text(s string) string { return cut(clean(s), textLength) }

// clean drops what is not seen but changes what is: bidirectional overrides and
// other format characters could make "moc.live" read "evil.com", a line break
// could begin a text of its own. Runs of spaces become one.
func clean(s string) string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case hidden(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(visible), " ")
}

// hidden reports control (Cc) and format (Cf: bidi, zero width, tags) characters,
// and the fillers that are letters by category but show nothing.
func hidden(r rune) bool {
	switch r {
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800':
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
}

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
		case r == '\n' || !hidden(r):
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
