package storage

import (
	"strings"
	"unicode"
)

// cleanText makes s storable, one line of at most that many bytes: header values and the
// like may hold any bytes, and must neither fail the use case they come with nor break a
// line of the audit log or move the cursor of the terminal that shows it.
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
