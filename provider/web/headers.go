package web

import (
	"net/http"
	"net/url"
	"regexp"
)

// The pages load nothing but their own style, script and pictures.
const (
	pageSources = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action "
	pageFrames  = "; base-uri 'none'; frame-ancestors 'none'"
	pagePolicy  = pageSources + "'self'" + pageFrames
	otherPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)

// policyHost matches a host that a policy can name (Content Security Policy 3, section 2.3.1).
var policyHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// formPolicy is the policy of a page whose form posts to target: it allows the origin of target
// alone. A policy cannot name the host of an IPv6 address, so it then allows the scheme.
func formPolicy(target string) string {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return pageSources + "'none'" + pageFrames
	case !policyHost.MatchString(u.Host):
		return pageSources + u.Scheme + ":" + pageFrames
	}
	return pageSources + u.Scheme + "://" + u.Host + pageFrames
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
