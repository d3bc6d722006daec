package web

import (
	"net/http"
	"strings"
)

// How long browsers may cache the answer to a preflight, in seconds. Answers about origins
// of clients have a shorter time, because operators may remove an origin.
const (
	preflightOfAll     = "7200"
	preflightOfClients = "600"
)

// PublicPreflight answers the preflight of a public document. It allows all origins and
// all requested headers (Fetch standard, section "CORS-preflight fetch"), because tracing
// libraries add their own headers to every call.
func PublicPreflight(w http.ResponseWriter, r *http.Request) {
	allowCall(w.Header(), r, "*", "GET, HEAD")
	w.Header().Set("Access-Control-Max-Age", preflightOfAll)
	w.WriteHeader(http.StatusNoContent)
}

// Preflight answers the preflight of a call without cookies. It allows the methods and
// all requested headers: without cookies, a page can do nothing that a program outside a
// browser could not do. It does not check the origin.
func Preflight(w http.ResponseWriter, r *http.Request, origin, methods string) {
	allowCall(w.Header(), r, origin, methods)
	w.Header().Set("Access-Control-Max-Age", preflightOfClients)
	w.WriteHeader(http.StatusNoContent)
}

// PreflightWithCookies answers the preflight of a call with cookies. It allows one method,
// JSON, the header X-CSRF and the headers of tracing libraries. It does not check the
// origin.
func PreflightWithCookies(w http.ResponseWriter, r *http.Request, method string) {
	h := w.Header()
	h.Add("Vary", accessControlRequestHeaders)
	h.Set("Access-Control-Allow-Methods", method)
	allowed := "Content-Type, X-CSRF"
	for _, name := range requestedHeaderNames(r) {
		if traceHeaders[name] {
			allowed += ", " + name
		}
	}
	h.Set("Access-Control-Allow-Headers", allowed)
	h.Set("Access-Control-Max-Age", preflightOfClients)
	allowPrivateNetwork(h, r)
	w.WriteHeader(http.StatusNoContent)
}

// traceHeaders contain only the ids of a trace: W3C Trace Context and Baggage, Zipkin's B3
// in one header, and Sentry's header. Without them, a library that traces every call of a
// page would break the calls of the first-party app.
var traceHeaders = map[string]bool{"traceparent": true, "tracestate": true, "baggage": true, "b3": true, "sentry-trace": true}

const accessControlRequestHeaders = "Access-Control-Request-Headers"

func allowCall(h http.Header, r *http.Request, origin, methods string) {
	h.Add("Vary", accessControlRequestHeaders)
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", methods)
	if asked := requestedHeaderNames(r); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	allowPrivateNetwork(h, r)
}

// allowPrivateNetwork permits a page of the public internet to call a host of a private
// network, if the browser asks (Private Network Access, section 3.2). It does not check
// the origin.
func allowPrivateNetwork(h http.Header, r *http.Request) {
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// maxRequestedHeaders is the limit for the header names that an answer repeats, in
// characters.
const maxRequestedHeaders = 1024

// requestedHeaderNames returns the header names that a preflight asks for, in lower case.
// It returns none if one name is invalid or all together are too long.
func requestedHeaderNames(r *http.Request) []string {
	var names []string
	total := 0
	for _, line := range r.Header.Values(accessControlRequestHeaders) {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name == "" {
				continue
			}
			if total += len(name) + len(", "); total > maxRequestedHeaders || strings.ContainsFunc(name, isNotTokenChar) {
				return nil
			}
			names = append(names, name)
		}
	}
	return names
}

// isNotTokenChar reports whether a character is not allowed in a token (RFC 9110, section
// 5.6.2).
func isNotTokenChar(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
