package web

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"signet/federation/foreign"
)

// LongestName of a person, in characters.
const LongestName = 200

// CheckName says what is wrong with a person's name, for that person; "" for nothing.
func CheckName(name string) string {
	switch {
	case utf8.RuneCountInString(name) > LongestName:
		return "Use at most 200 characters."
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || foreign.IsMisleading(r) }):
		return "Use letters, digits and signs that can be seen."
	}
	return ""
}
