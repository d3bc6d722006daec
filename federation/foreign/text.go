package foreign

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The functions below clean texts of other parties for the place where they are shown. Each
// place has its own function because its dangers differ. The function for database columns is
// in storage.
//
//	ForLog       control and format characters become spaces
//	ForTerminal  control characters and marks of text direction become U+FFFD
//	ForError     all characters except printable ASCII become a dot
//	ForPage      hidden characters are removed, runs of spaces become one space

// ForLog shortens s to at most longest bytes and makes it one clean line.
func ForLog(s string, longest int) string {
	if len(s) > longest {
		s = s[:longest]
	}
	if isPrintableASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) { // Cf: marks of text direction, invisible characters
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func isPrintableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// ForTerminal replaces the characters that could move the cursor or hide text on an
// administrator's terminal.
func ForTerminal(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0: // control characters
			return utf8.RuneError
		case r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // text direction
			return utf8.RuneError
		}
		return r
	}, s)
}

// ForError returns the first 120 bytes of s in printable ASCII, for the text of an error.
func ForError(s string) string {
	const longest = 120
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, s)
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return s
}

// ForPage removes invisible characters. Bidirectional overrides and other format characters
// could make "moc.live" look like "evil.com", and a line break could look like the beginning of
// another text. Runs of spaces become one space.
func ForPage(s string) string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case IsHidden(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(visible), " ")
}

// IsHidden reports whether r is a control (Cc) or format character (Cf: bidi, zero width,
// tags), a line or paragraph separator, for private use, or a filler, which is a letter by its
// category but invisible.
func IsHidden(r rune) bool {
	switch r {
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800':
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
}

// IsMisleading reports whether r changes how the characters around it look: bidirectional
// overrides, isolates and marks, the zero width space and the byte order mark. It reports
// false for joiners, because names need them.
func IsMisleading(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff'
}

// IsStorable reports whether s is UTF-8 without NUL. Both databases can store such a text, and
// all programs read it in the same way.
func IsStorable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
