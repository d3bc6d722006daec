package foreign

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var dayPart = regexp.MustCompile(`^([0-9]{1,5})d`)

// ParseDuration parses a duration such as 90s, 15m, 24h, 7d or 1d12h. It returns an error if
// the duration is outside least and most.
func ParseDuration(text string, least, most time.Duration) (time.Duration, error) {
	var days time.Duration
	rest := text
	if m := dayPart.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // no error: at most five digits
		days, rest = time.Duration(n)*24*time.Hour, text[len(m[0]):]
	}
	d := days
	if rest != "" || text == "" {
		clock, err := time.ParseDuration(rest)
		if err != nil || strings.ContainsAny(rest, "+-.µun") {
			return 0, fmt.Errorf("is %q, which is not a duration such as 90s, 15m, 24h or 7d", text)
		}
		d += clock
	}
	switch {
	case d < least:
		return 0, fmt.Errorf("is %s, which is too short: use at least %s", text, FormatDuration(least))
	case d > most:
		return 0, fmt.Errorf("is %s, which is too long: use at most %s", text, FormatDuration(most))
	}
	return d, nil
}

// FormatDuration formats a duration as people write it, such as 1d12h.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var out strings.Builder
	for _, part := range []struct {
		size time.Duration
		unit string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / part.size; n > 0 {
			fmt.Fprintf(&out, "%d%s", n, part.unit)
			d %= part.size
		}
	}
	return out.String()
}
