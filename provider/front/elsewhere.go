package front

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"signet/provider/web"
)

// methodNotAllowed is the answer of an endpoint for programs to a method that it does not have.
func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	web.Path.Fail(w, r, web.Advise(because("method_not_allowed", "the method is not one of "+allow), "use "+allow))
}

// wrongMethodPage is the answer at the path of a page.
func (f *Front) wrongMethodPage(w http.ResponseWriter, r *http.Request, allow string) {
	f.Site.Fail(w, r, &web.Problem{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "This address cannot be used that way",
		Text: "The request was sent by another method than " + allow + ". Nothing was changed. Open the address in a browser.", StartURL: f.Site.Base + "/", StartText: "Start page",
	})
}

// nowhere answers unknown paths: people get a page, programs get JSON.
func (f *Front) nowhere(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		f.Site.Fail(w, r, f.Site.NotFound())
		return
	}
	web.Path.Fail(w, r, because("not_found", "there is nothing at this path"))
}

// broken answers for a handler that panicked, with a reference for the log.
func (f *Front) broken(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		f.Site.Fail(w, r, errPanic)
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

func because(code, text string) error { return web.Because(code, errors.New(text)) }

var errPanic = because("panic", "the handler panicked")
