package foreign

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts that strangers have chosen are made fit for the place where they are read. Each
// place has a function of its own, since each has another danger. The one for columns
// stands in storage, which alone writes them:
//
//	ForLog       control and format characters become spaces
//	ForTerminal  control characters and marks of text direction become U+FFFD
//	ForError     everything but printable ASCII becomes a dot
//	ForPage      everything hidden goes, runs of space become one

// ForLog shortens s to that many bytes, and keeps it one clean line.
func ForLog(s string, longest int) string {
	if len(s) > longest {
		s = s[:longest]
	}
	if isPrintableASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) { // Cf: right-to-left marks and what nobody sees
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

// ForTerminal replaces the characters that could move the cursor or hide text on the
// terminal of an administrator.
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

// ForError makes at most 120 bytes of s fit for the text of an error.
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

// ForPage drops the characters that are not seen but change how others are read:
// bidirectional overrides and other format characters could make "moc.live" read
// "evil.com", a line break could begin a text of its own. Runs of spaces become one.
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

// IsHidden reports control (Cc) and format (Cf: bidi, zero width, tags) characters, and
// the fillers that are letters by category but show nothing.
func IsHidden(r rune) bool {
	switch r {
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800':
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp)
}

// IsMisleading reports the characters that change how others around them read:
// bidirectional overrides, isolates and marks. Joiners are not among them: names need
// them.
func IsMisleading(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff'
}

// IsStorable reports whether s is UTF-8 without NUL: what both databases can store, and what
// no two readers read in two ways.
func IsStorable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
