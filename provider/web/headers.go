package web

import (
	"net/http"
	"slices"
	"strings"
)

// The pages load nothing but their own style, script and pictures.
const (
	pageSources = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action "
	pageFrames  = "; base-uri 'none'; frame-ancestors 'none'"
	pagePolicy  = pageSources + "'self'" + pageFrames
	otherPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)

// formPolicy is the policy of a page whose form posts to target. It allows every https origin,
// because Chromium applies form-action to the redirects after the form too, and applications
// redirect from their callback to another of their hosts. If target is http, which is allowed on
// loopback only, it allows http too.
func formPolicy(target string) string {
	if strings.HasPrefix(target, "http://") {
		return pageSources + "http: https:" + pageFrames
	}
	return pageSources + "https:" + pageFrames
}

// SetPageHeaders sets the headers of a page that is not written by Site.Show.
func SetPageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", ownReferrer)
}

// framablePolicy is the policy of a page that pages of every origin may frame.
const framablePolicy = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"

// AllowFraming lets pages of every origin frame the answer. Such a page must show nothing that a
// person could be led to click.
func AllowFraming(h http.Header) {
	h.Set("Content-Security-Policy", framablePolicy)
	h.Del("X-Frame-Options")
}

// framesBudget is the most characters that the origins of frames may have in a policy, if the
// answer contains no long address.
const framesBudget = 1000

// framesPolicy is the policy of a page that opens the frames. It allows their origins alone, or
// every origin of their schemes if the list would have more than budget characters. A policy cannot
// name an IPv6 address, so its scheme is allowed.
func framesPolicy(frames []string, budget int) string {
	var origins, schemes []string
	for _, frame := range frames {
		scheme, rest, _ := strings.Cut(frame, "://")
		host, _, _ := strings.Cut(rest, "/")
		host, _, _ = strings.Cut(host, "?")
		origin := scheme + "://" + host
		if strings.HasPrefix(host, "[") {
			origin = scheme + ":"
		}
		origins, schemes = append(origins, origin), append(schemes, scheme+":")
	}
	sources := strings.Join(slices.Compact(slices.Sorted(slices.Values(origins))), " ")
	if len(sources) > budget {
		sources = strings.Join(slices.Compact(slices.Sorted(slices.Values(schemes))), " ")
	}
	return pageSources + "'self'; frame-src " + sources + pageFrames
}

// Headers sets the headers of all answers, including 404s and redirects. The default is
// no-store. Handlers of content that may be cached (discovery, JWKS, static files) set
// Cache-Control themselves.
func Headers(https bool, next http.Handler) http.Handler {
	common := map[string]string{
		"Cache-Control":              "no-store",
		"Content-Security-Policy":    otherPolicy,
		"Cross-Origin-Opener-Policy": "same-origin",
		"Referrer-Policy":            "no-referrer",
		"X-Content-Type-Options":     "nosniff",
		"X-Frame-Options":            "DENY", // for engines that do not know frame-ancestors
	}
	if https {
		common["Strict-Transport-Security"] = "max-age=31536000"
	}
	// All requests share the value slices. That is safe: Set of http.Header replaces a
	// slice, and Add must allocate a new one because these have no spare capacity.
	type header struct {
		name  string // canonical
		value []string
	}
	var headers []header
	for name, value := range common {
		headers = append(headers, header{http.CanonicalHeaderKey(name), []string{value}})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, one := range headers {
			h[one.name] = one.value
		}
		next.ServeHTTP(w, r)
	})
}
