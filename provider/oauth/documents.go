package oauth

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"signet/provider/passkey"
	"signet/provider/web"
	"signet/static"
)

// DocumentsCached is how long caches may keep the discovery document. It is also the default
// for the JWKS.
const DocumentsCached = 5 * time.Minute

// documentRoutes returns the routes of the discovery document, the JWKS and the passkey
// endpoints, which are answered from prepared bytes. If the issuer has a path, the discovery
// document is also at /.well-known/…/{path} on the same host (RFC 8414, section 3.1). The passkey
// endpoints are also at the root of the host; they exist only if passkeys are offered.
func (h *Handler) documentRoutes() []web.Route {
	ready := func(path string, document http.Handler, specification string) web.Route {
		return web.Route{Methods: "GET|HEAD|OPTIONS", Path: path, Policy: web.DocumentPolicy, Handler: document, Specification: specification}
	}
	discovery := serveDocument(h.discoveryBody, DocumentsCached)
	keys := h.Jobs.CountReaders(serveDocument(h.jwksBody, h.KeysCached), h.Proxies)
	list := []web.Route{
		ready("/.well-known/openid-configuration", discovery, "OIDC Discovery, section 4"),
		ready("/.well-known/oauth-authorization-server", discovery, "RFC 8414, section 3"),
		ready("/jwks", keys, "RFC 7517, section 5"),
	}
	if h.Site.Base != "" {
		behind := ready("/.well-known/oauth-authorization-server"+h.Site.Base, discovery, "RFC 8414, section 3.1")
		behind.AtHostRoot = true
		list = append(list, behind)
	}
	if h.Visits.Passkeys.Offered() {
		endpoints := ready("/.well-known/passkey-endpoints", serveDocument(h.passkeyEndpoints(), DocumentsCached), "W3C, A Well-Known URL for Relying Party Passkey Endpoints")
		list = append(list, endpoints)
		if h.Site.Base != "" { // password managers request it at the root of the host
			endpoints.AtHostRoot = true
			list = append(list, endpoints)
		}
	}
	return list
}

// passkeyEndpoints returns the document of the passkey endpoints, for serveDocument.
func (h *Handler) passkeyEndpoints() func() ([]byte, string) {
	body, err := json.Marshal(passkey.EndpointsOf(h.Issuer))
	if err != nil {
		panic(err) // two strings
	}
	tag := tagOf(body)
	return func() ([]byte, string) { return body, tag }
}

// serveDocument serves prepared bytes, which may be cached for the given time. Scripts of
// every origin may read them.
func serveDocument(body func() (content []byte, etag string), cached time.Duration) http.Handler {
	cache := "public, max-age=" + strconv.Itoa(int(cached.Seconds()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			web.PublicPreflight(w, r)
			return
		}
		content, etag := body()
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cache-Control", cache)
		header.Set("ETag", etag)
		if static.Unchanged(r, etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content)
	})
}

func (h *Handler) jwksBody() ([]byte, string) {
	published := h.Ring.JWKS()
	return published.Body, published.ETag
}
