package web

import (
	"net/http"
	"strings"
)

// How long browsers may keep the answer to a preflight, in seconds. Answers about origins of
// clients are kept for a shorter time: an operator may remove an origin.
const (
	preflightOfAll     = "7200"
	preflightOfClients = "600"
)

// PublicPreflight answers the preflight of a document that every page may read: for each
// origin, with each header (Fetch standard, section "CORS-preflight fetch"). Tracing
// libraries add headers of their own to every call.
func PublicPreflight(w http.ResponseWriter, r *http.Request) {
	allowCall(w.Header(), r, "*", "GET, HEAD")
	w.Header().Set("Access-Control-Max-Age", preflightOfAll)
	w.WriteHeader(http.StatusNoContent)
}

// Preflight answers the preflight of a call that goes without cookies, for an origin that
// the caller has checked: it may use these methods and whatever headers it asks for. They
// give a page nothing that a program without a browser could not send.
func Preflight(w http.ResponseWriter, r *http.Request, origin, methods string) {
	allowCall(w.Header(), r, origin, methods)
	w.Header().Set("Access-Control-Max-Age", preflightOfClients)
	w.WriteHeader(http.StatusNoContent)
}

// PreflightWithCookies answers the preflight of a call that goes with cookies, for an
// origin that the caller has checked. It may use the one method, JSON, the header X-CSRF,
// and the headers by which a call is traced.
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

// traceHeaders carry the ids of a trace and nothing else: W3C Trace Context and Baggage,
// Zipkin's B3 in one header, and Sentry's own. A library that traces every call of a page
// would break the calls of the first-party app without them.
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

// allowPrivateNetwork: some browsers ask for leave when a page of the public internet
// calls a host of a private network (Private Network Access, section 3.2). The
// caller has checked the origin already.
func allowPrivateNetwork(h http.Header, r *http.Request) {
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
}

// maxRequestedHeaders bounds the header names that are given back, in characters.
const maxRequestedHeaders = 1024

// requestedHeaderNames are the names that a preflight asks for, in lower case; none if they are
// no list of names.
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

// isNotTokenChar reports whether a token cannot have the character (RFC 9110, section 5.6.2).
func isNotTokenChar(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
