package storage

import (
	"strings"
	"unicode"
)

// cleanText makes s storable as one line of at most longest bytes. Header values and similar
// texts may contain any bytes. They must not make a use case fail, break a line of the audit
// log, or control the terminal that shows the log.
func cleanText(s string, longest int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return -1
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "")
	}
	return s
}
