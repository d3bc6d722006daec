package web

import (
	"net/http"
	"strconv"
	"strings"
)

// WantsPage reports whether a person in a browser will read the answer, and not a
// program. It is the one rule for every place that may answer both: a program gets JSON.
//
// A browser that opens an address or sends a form prefers text/html to JSON in Accept
// (RFC 9110, section 12.5.1). A caller that authenticates in a header or sends JSON is a
// program, whatever its HTTP library accepts by default: that of Java names text/html first.
func WantsPage(r *http.Request) bool {
	if len(r.Header["Accept"]) == 0 || len(r.Header["Authorization"]) != 0 {
		return false
	}
	html, named := weight(r.Header["Accept"], "text/html")
	if !named || html == 0 || IsJSON(r) {
		return false
	}
	json, _ := weight(r.Header["Accept"], "application/json")
	return html > json || html == json && firstMediaType(r.Header["Accept"]) == "text/html"
}

// weight is how much a caller wants a media type, and whether its Accept names the type
// itself, not only by a wildcard.
func weight(accept []string, kind string) (q float64, named bool) {
	best := 0 // how exactly the best range matches
	for _, field := range accept {
		for part := range strings.SplitSeq(field, ",") {
			media, parameters, _ := strings.Cut(part, ";")
			exact := exactness(strings.ToLower(strings.TrimSpace(media)), kind)
			if exact > best {
				best, q = exact, quality(parameters)
			}
		}
	}
	return q, best == 3
}

func exactness(media, kind string) int {
	family, _, _ := strings.Cut(kind, "/")
	switch media {
	case kind:
		return 3
	case family + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}

// quality reads the weight among the parameters of a media range: 1 where there is none,
// 0 for one that cannot be read.
func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}

// firstMediaType is the media type that the caller names first.
func firstMediaType(accept []string) string {
	part, _, _ := strings.Cut(accept[0], ",")
	media, _, _ := strings.Cut(part, ";")
	return strings.ToLower(strings.TrimSpace(media))
}
