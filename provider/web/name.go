package web

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// LongestName of a person, in characters.
const LongestName = 200

// CheckName says what is wrong with a person's name, for that person; "" for nothing.
func CheckName(name string) string {
	switch {
	case utf8.RuneCountInString(name) > LongestName:
		return "Use at most 200 characters."
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || Misleading(r) }):
		return "Use letters, digits and signs that can be seen."
	}
	return ""
}

// Misleading are the characters that change how others around them read:
// bidirectional overrides, isolates and marks. Joiners are not: names need them.
func Misleading(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff'
}
