package static

import (
	"net/http"
	"strings"
)

// Unchanged reports whether the caller already holds the representation with this entity
// tag, so that the answer is 304 (RFC 9110, section 13.1.2). etag is quoted, as in the
// ETag header. If-None-Match is "*" or a list of tags, in one header line or several;
// tags are compared weakly. A header that is no such list matches nothing: a whole answer
// is always right.
func Unchanged(r *http.Request, etag string) bool {
	lines := r.Header["If-None-Match"]
	switch len(lines) {
	case 0:
		return false
	case 1:
		if lines[0] == etag || strings.Trim(lines[0], " \t") == "*" {
			return true
		}
	}
	for _, line := range lines {
		if lists(line, etag) {
			return true
		}
	}
	return false
}

// lists reports whether a list of entity tags names etag or its weak twin. A tag may hold
// commas and semicolons, so that the list cannot be split at its commas.
func lists(line, etag string) bool {
	opaque := strings.TrimPrefix(etag, "W/")
	for rest := line; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return false
		}
		tag, after, ok := cutTag(strings.TrimPrefix(rest, "W/"))
		if !ok {
			return false
		}
		after = strings.TrimLeft(after, " \t")
		if after != "" && after[0] != ',' {
			return false
		}
		if tag == opaque {
			return true
		}
		rest = after
	}
}

// cutTag takes the quoted part of an entity tag from the beginning of s (RFC 9110,
// section 8.8.3).
func cutTag(s string) (tag, after string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return "", "", false
	}
	tag, after = s[:end+2], s[end+2:]
	for i := 1; i < len(tag)-1; i++ {
		if tag[i] <= ' ' || tag[i] == 0x7f {
			return "", "", false
		}
	}
	return tag, after, true
}
