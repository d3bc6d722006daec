package provider

import (
	"net/http"
	"path"
	"strings"

	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// routes is the one place where paths get their handlers, methods and policy. HEAD is
// named where GET changes nothing, and nowhere else: see web.Router.
func (p *Provider) routes() http.Handler {
	inner := web.NewRouter(p.wrongMethodPage, methodNotAllowed)
	inner.API("GET|HEAD /readyz", http.HandlerFunc(p.readyz))
	inner.Page("GET|POST /authorize", p.site.Plain(p.authorize))
	inner.Page("GET /authorize/next", p.site.Plain(p.next))
	inner.Page("GET|POST /end_session", p.site.Plain(p.endSession))
	inner.Page("GET|HEAD /{$}", p.site.Plain(p.home))
	p.steps.Routes(inner)
	p.account.Routes(inner)
	p.admin.Routes(inner)
	p.firstParty.Routes(inner)
	inner.Page("POST /login", web.ByBody(p.steps.Login(), p.firstParty.Login()))

	inner.API("POST|OPTIONS /token", p.shared(p.form(p.fromClient(p.token))))
	inner.API("POST|OPTIONS /revoke", p.shared(p.form(p.fromClient(p.revoke))))
	inner.API("POST /introspect", p.form(http.HandlerFunc(p.introspect)))
	inner.API("GET|HEAD|POST|OPTIONS /userinfo", p.shared(http.HandlerFunc(p.userinfo)))
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

// form reads the body strictly.
func (p *Provider) form(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
		if len(r.Header.Values("Authorization")) > 1 {
			web.OAuth.Fail(w, r, because("two_authorization_headers", "more than one Authorization header"))
			return
		}
		if _, err := web.PostForm(w, r, "resource", "audience"); err != nil {
			web.OAuth.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
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

// allowOrigin makes the answer readable for a script of this client.
func allowOrigin(h http.Header, origin string, client storage.Client) {
	if origin != "" && request.AllowsOrigin(client, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
	}
}

// locate gives an absolute URL of ours.
func (p *Provider) locate(path string) string { return p.Issuer + path }

// step is the path of a step with its request, as a browser must ask for it.
func (p *Provider) step(path, sealed string) string { return p.base + request.To(path, sealed) }
