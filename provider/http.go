package provider

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"signet/provider/web"
)

// routes is the one place where paths get their handlers, methods and policy. HEAD is
// named where GET changes nothing, and nowhere else: see web.Router.
func (p *Provider) routes() http.Handler {
	inner := web.NewRouter(p.wrongMethodPage, methodNotAllowed)
	inner.API("GET|HEAD /readyz", http.HandlerFunc(p.readyz))
	inner.Page("GET|HEAD /{$}", p.site.Plain(p.home))
	p.steps.Routes(inner)
	p.account.Routes(inner)
	p.admin.Routes(inner)
	p.firstParty.Routes(inner)
	inner.Page("POST /login", web.ByBody(p.steps.Login(), p.firstParty.Login()))

	for _, r := range p.oauth.Routes() {
		if r.Policy != web.Ready {
			inner.Add(r)
		}
	}
	inner.Elsewhere(p.nowhere)

	outer := web.NewRouter(p.wrongMethodPage, methodNotAllowed)
	outer.Below(p.files.Prefix(), p.files)
	outer.Below(p.base+"/", http.StripPrefix(p.base, inner))
	documents := p.documents()
	for path, document := range documents {
		outer.API("GET|HEAD "+path, document)
	}
	if p.base != "" {
		outer.Page("GET|HEAD /.well-known/change-password", http.HandlerFunc(p.account.WellKnown))
		outer.Elsewhere(p.nowhere)
	}
	https := strings.HasPrefix(p.Issuer, "https:")
	return web.Headers(https, atOnce(documents, p.bounded(web.Traced(p.Log, p.TrustedProxies, p.Now, http.HandlerFunc(p.broken), p.jobs.Recorded(plainPaths(outer))))))
}

// documents are the handlers of ready bytes, by their whole paths.
func (p *Provider) documents() map[string]http.Handler {
	documents := map[string]http.Handler{p.base + "/healthz": http.HandlerFunc(healthz)}
	for _, r := range p.oauth.Routes() {
		if r.AtHost {
			documents[r.Path] = r.Handler
		} else if r.Policy == web.Ready {
			documents[p.base+r.Path] = r.Handler
		}
	}
	return documents
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

// healthz says that the process lives.
func healthz(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") }

// methodNotAllowed is the answer of an endpoint for programs to a method that it does not have.
func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	web.Path.Fail(w, r, web.Advise(because("method_not_allowed", "the method is not one of "+allow), "use "+allow))
}

// wrongMethodPage is the answer at the path of a page.
func (p *Provider) wrongMethodPage(w http.ResponseWriter, r *http.Request, allow string) {
	p.site.Fail(w, r, &web.Problem{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "This address cannot be used that way",
		Text: "The request was sent by another method than " + allow + ". Nothing was changed. Open the address in a browser.", StartURL: p.base + "/", StartText: "Start page",
	})
}

// readyz says only whether requests can be served, never why not: that is logged.
func (p *Provider) readyz(w http.ResponseWriter, r *http.Request) {
	err := p.ring.Ready()
	if err == nil {
		err = p.db.Ping(r.Context())
	}
	if err != nil {
		web.TraceOf(r.Context()).Fail(err)
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
	web.Path.Fail(w, r, because("not_found", "there is nothing at this path"))
}

// broken answers for a handler that panicked, with a reference for the log.
func (p *Provider) broken(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		p.site.Fail(w, r, errPanic)
		return
	}
	web.Path.Fail(w, r, errPanic)
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
			web.Path.Fail(w, r, because("path_not_plain", "write the path plainly"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// locate gives an absolute URL of ours.
func (p *Provider) locate(path string) string { return p.Issuer + path }

func because(code, text string) error { return web.Because(code, errors.New(text)) }

var errPanic = because("panic", "the handler panicked")
