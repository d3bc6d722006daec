package static_test

import (
	"net/http"
	"testing"

	"signet/static"
)

// RFC 9110, sections 8.8.3, 13.1.2 and 5.6.1: a list of tags, compared weakly.
func TestUnchanged_ReadsIfNoneMatchAsTheStandardDoes(t *testing.T) {
	const plain, comma = `"abc"`, `"a,b;c"`
	for _, c := range []struct {
		lines []string
		etag  string
		want  bool
	}{
		{nil, plain, false}, {[]string{""}, plain, false}, {[]string{plain}, plain, true}, {[]string{"W/" + plain}, plain, true},
		{[]string{plain}, "W/" + plain, true}, {[]string{"W/" + plain}, "W/" + plain, true},
		{[]string{"*"}, plain, true}, {[]string{" *\t"}, plain, true}, {[]string{`"*"`}, plain, false}, {[]string{"**"}, plain, false},
		{[]string{`"x", "abc"`}, plain, true}, {[]string{`"x","abc"`}, plain, true}, {[]string{"\"x\" ,\t W/\"abc\" "}, plain, true},
		{[]string{`"abc", "x"`}, plain, true}, {[]string{`, ,"abc",`}, plain, true}, {[]string{`"x", "y"`}, plain, false},
		{[]string{`"x"`, `"abc"`}, plain, true}, {[]string{`"x"`, `"y"`}, plain, false}, {[]string{`garbage`, `"abc"`}, plain, true},
		{[]string{comma}, comma, true}, {[]string{`"x", "a,b;c"`}, comma, true}, {[]string{`W/"a,b;c", "x"`}, comma, true},
		{[]string{`"x,"abc"`}, plain, false}, {[]string{`"a`, `b"`}, `"ab"`, false}, {[]string{`"x, "abc", y"`}, plain, false},
		{[]string{`abc`}, plain, false}, {[]string{`w/"abc"`}, plain, false}, {[]string{`W/ "abc"`}, plain, false}, {[]string{`W/abc`}, plain, false},
		{[]string{`"abc`}, plain, false}, {[]string{`abc"`}, plain, false}, {[]string{`"abc""x"`}, plain, false}, {[]string{`"abc" "x"`}, plain, false},
		{[]string{`"ABC"`}, plain, false}, {[]string{`""`}, plain, false}, {[]string{`""`}, `""`, true}, {[]string{`"a bc", "abc"`}, plain, false},
		{[]string{`"é", "abc"`}, plain, true}, {[]string{`W/`}, plain, false}, {[]string{`"`}, plain, false}, {[]string{`""""`}, `""`, false},
	} {
		r := &http.Request{Header: http.Header{}}
		if c.lines != nil {
			r.Header["If-None-Match"] = c.lines
		}
		if got := static.Unchanged(r, c.etag); got != c.want {
			t.Errorf("If-None-Match %q of %s: got %v", c.lines, c.etag, got)
		}
	}
}

// Pollers ask with one tag all day.
func TestUnchanged_CostsNoAllocation(t *testing.T) {
	for _, line := range []string{`"abc"`, `W/"abc"`, `"x", "abc"`, `"y"`} {
		r := &http.Request{Header: http.Header{"If-None-Match": {line}}}
		if n := testing.AllocsPerRun(100, func() { static.Unchanged(r, `"abc"`) }); n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}
