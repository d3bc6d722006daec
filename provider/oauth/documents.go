package provider

import (
	"net/http"
	"strconv"
	"time"
)

// documents are answered from ready bytes, by their whole paths. RFC 8414, section
// 3.1: behind an issuer's path the well-known one comes first.
func (p *Provider) documents() map[string]http.Handler {
	discovery := p.document(p.discoveryBody, cacheDocuments)
	return map[string]http.Handler{
		p.base + "/.well-known/openid-configuration":       discovery,
		p.base + "/.well-known/oauth-authorization-server": discovery,
		"/.well-known/oauth-authorization-server" + p.base: discovery,
		p.base + "/jwks":    p.jobs.Noted(p.document(p.jwksBody, p.Keys.MaxAge), p.TrustedProxies),
		p.base + "/healthz": http.HandlerFunc(p.healthz),
	}
}

// cacheDocuments is how long discovery may be cached, and the JWKS by default.
const cacheDocuments = 5 * time.Minute

// document serves ready bytes to everyone, to be cached for as long.
func (p *Provider) document(body func() (content []byte, etag string), cached time.Duration) http.Handler {
	cache := "public, max-age=" + strconv.Itoa(int(cached.Seconds()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, etag := body()
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", cache)
		h.Set("Content-Type", "application/json")
		h.Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content)
	})
}

func (p *Provider) jwksBody() ([]byte, string) {
	published := p.ring.JWKS()
	return published.Body, published.ETag
}

func (p *Provider) healthz(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusOK, "ok")
}

// atOnce answers a GET of a document in front of trace, log and router, which
// would cost more than the answer. Pollers ask for these all day: a line for each
// would bury the log. Everything else about them is the router's.
func atOnce(documents map[string]http.Handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.RawPath == "" {
			if document, ok := documents[r.URL.Path]; ok {
				document.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
