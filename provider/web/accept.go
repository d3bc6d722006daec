package web

import (
	"net/http"
	"strconv"
	"strings"
)

// WantsPage reports whether a person in a browser will read the answer. If not, a program
// gets JSON. All places that can answer both use this one rule.
//
// A browser that opens an address or sends a form prefers text/html to JSON in Accept
// (RFC 9110, section 12.5.1). A caller that authenticates in a header or sends JSON is a
// program, even if its HTTP library prefers text/html by default, as that of Java does.
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

// weight returns the weight that Accept gives to a media type. named is true if Accept
// contains the type itself, and not only a wildcard that matches it.
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

// quality returns the weight (q) in the parameters of a media range: 1 if there is none, 0
// if it is malformed.
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

// firstMediaType returns the first media type of Accept.
func firstMediaType(accept []string) string {
	part, _, _ := strings.Cut(accept[0], ",")
	media, _, _ := strings.Cut(part, ";")
	return strings.ToLower(strings.TrimSpace(media))
}
