package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// routes is the one place where paths get their handlers and their policy.
func (p *Provider) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("/authorize", p.methods(p.site.Plain(p.authorize), http.MethodGet, http.MethodPost))
	mux.Handle("GET /authorize/next", p.site.Plain(p.next))
	mux.Handle("/end_session", p.methods(p.site.Plain(p.endSession), http.MethodGet, http.MethodPost))
	mux.Handle("GET /{$}", p.site.Plain(p.home))
	p.steps.Routes(mux)
	p.account.Routes(mux)
	p.admin.Routes(mux)
	mux.Handle("OPTIONS /login", p.steps.LoginJSON)
	mux.Handle("/refresh", p.app(http.MethodPost, p.refreshCookies))
	mux.Handle("/logout", p.app(http.MethodPost, p.logoutJSON))
	mux.Handle("/session", p.app(http.MethodGet, p.sessionJSON))

	mux.Handle("/token", p.shared(p.methods(p.form(p.fromClient(p.token)), http.MethodPost)))
	mux.Handle("/revoke", p.shared(p.methods(p.form(p.fromClient(p.revoke)), http.MethodPost)))
	mux.Handle("/introspect", p.methods(p.form(http.HandlerFunc(p.introspect)), http.MethodPost))
	mux.Handle("/userinfo", p.shared(p.methods(http.HandlerFunc(p.userinfo), http.MethodGet, http.MethodPost)))
	mux.HandleFunc("/", p.nowhere)

	outer := http.NewServeMux()
	outer.Handle(p.files.Prefix(), p.files)
	outer.Handle(p.base+"/", http.StripPrefix(p.base, web.Routed(mux)))
	documents := p.documents()
	for path, document := range documents {
		outer.Handle(path, document)
	}
	if p.base != "" {
		outer.HandleFunc("GET /.well-known/change-password", p.account.WellKnown)
		outer.HandleFunc("/", p.nowhere)
	}
	https := strings.HasPrefix(p.Issuer, "https:")
	return web.Headers(https, atOnce(documents, p.bounded(web.Traced(p.Log, p.TrustedProxies, p.Now, http.HandlerFunc(p.broken), plainPaths(outer)))))
}

// methods answers 405 to all others. HEAD goes with GET.
func (p *Provider) methods(next http.Handler, allowed ...string) http.Handler {
	allow := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range allowed {
			if r.Method == method || (r.Method == http.MethodHead && method == http.MethodGet) {
				next.ServeHTTP(w, r)
				return
			}
		}
		w.Header().Set("Allow", allow)
		writeError(w, http.StatusMethodNotAllowed, "invalid_request", "use "+allow)
	})
}

// form reads the body strictly.
func (p *Provider) form(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
		if len(r.Header.Values("Authorization")) > 1 {
			writeError(w, http.StatusBadRequest, "invalid_request", "more than one Authorization header")
			return
		}
		if _, err := web.PostForm(w, r, "resource", "audience"); err != nil {
			refuseForm(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuseForm(w http.ResponseWriter, err error) {
	if e, ok := errors.AsType[*web.FormError](err); ok {
		writeError(w, e.Status, "invalid_request", e.Text)
		return
	}
	writeError(w, http.StatusBadRequest, "invalid_request", "the body cannot be read")
}

// shared answers cross-origin calls without credentials. A preflight does not
// say which client asks, so it knows the origins of all; the answer itself is
// readable for the origins of this request's client alone (see allowOrigin).
func (p *Provider) shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		if origin := r.Header.Get("Origin"); p.clients.KnowsOrigin(origin) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// readyz says only whether requests can be served, never why not: that is logged.
func (p *Provider) readyz(w http.ResponseWriter, r *http.Request) {
	err := p.ring.Ready()
	if err == nil {
		err = p.db.Ping(r.Context())
	}
	if err != nil {
		web.TraceOf(r.Context()).Note("error", err.Error())
		writeStatus(w, http.StatusServiceUnavailable, "unavailable")
		return
	}
	writeStatus(w, http.StatusOK, "ok")
}

func writeStatus(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"status":"` + word + `"}` + "\n"))
}

// nowhere answers unknown paths: people get a page, programs get JSON.
func (p *Provider) nowhere(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		p.site.Fail(w, r, p.site.NotFound())
		return
	}
	writeError(w, http.StatusNotFound, "not_found", "there is nothing at this path")
}

// broken answers for a handler that panicked, with a reference for the log.
func (p *Provider) broken(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		p.site.Fail(w, r, errPanic)
		return
	}
	writeOAuthError(w, r, errPanic)
}

// wantsPage tells people from programs.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// plainPaths refuses paths that two readers could read in two ways, in front of
// everything: the router would clean some of them by a redirect.
func plainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path
		clean := path.Clean(at)
		if strings.HasSuffix(at, "/") && clean != "/" {
			clean += "/"
		}
		if at != clean || r.URL.RawPath != "" || strings.ContainsAny(at, `\;`) || !strings.HasPrefix(at, "/") {
			writeError(w, http.StatusBadRequest, "invalid_request", "write the path plainly")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowOrigin makes the answer readable for a script of this client.
func allowOrigin(h http.Header, origin string, client storage.Client) {
	if origin != "" && request.AllowsOrigin(client, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
	}
}

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, status int, body any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	_, _ = w.Write(content)
	return nil
}

// writeError answers with an OAuth error (RFC 6749, section 5.2).
func writeError(w http.ResponseWriter, status int, code, description string) {
	_ = writeJSON(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, description})
}

// locate gives an absolute URL of ours.
func (p *Provider) locate(path string) string { return p.Issuer + path }

// step is the path of a step with its request, as a browser must ask for it.
func (p *Provider) step(path, sealed string) string { return p.base + request.To(path, sealed) }
