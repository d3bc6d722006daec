package foreign_test

import (
	"strings"
	"testing"

	"signet/federation/foreign"
)

// hostile contains NUL, a line break, an escape sequence, a bidirectional override, an invisible
// character, a filler, a line separator, and a byte that is not UTF-8.
const hostile = "a\x00b\nc\x1b[2Jd\u202ee\u200bf\u3164g\u2028h\xffi"

func TestTexts_HiddenCharactersAreReplaced(t *testing.T) {
	for place, c := range map[string]struct{ got, want string }{
		"log":      {foreign.ForLog(hostile, 100), "a b c [2Jd e f\u3164g h?i"},
		"terminal": {foreign.ForTerminal("a\x00b\nc\x1b[2Jd\u202ee"), "a\uFFFDb\uFFFDc\uFFFD[2Jd\uFFFDe"},
		"error":    {foreign.ForError(hostile), "a.b.c.[2Jd.e.f.g.h.i"},
		"page":     {foreign.ForPage("  " + hostile + " "), "ab c[2Jdefg h\uFFFDi"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", place, c.got, c.want)
		}
	}
}

func TestTexts_AreBounded(t *testing.T) {
	long := strings.Repeat("ä", 200)
	if got := foreign.ForLog(long, 101); got != strings.Repeat("ä", 50)+"?" {
		t.Errorf("log: got %q", got)
	}
	if got := foreign.ForError(long); got != strings.Repeat(".", 120)+"…" {
		t.Errorf("error: got %q", got)
	}
}
