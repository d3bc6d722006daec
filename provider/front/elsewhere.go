package front

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"signet/provider/web"
)

// methodNotAllowed is the answer of an endpoint for programs to a method that it does not
// have. People who open its address learn which path is for them: forPeople has it by path.
func (f *Front) methodNotAllowed(forPeople map[string]web.Link) web.MethodRefusal {
	return func(w http.ResponseWriter, r *http.Request, allow string) {
		err := because("method_not_allowed", "the method is not one of "+allow)
		if web.WantsPage(r) {
			f.Site.Fail(w, r, f.Site.NotForBrowsers(forPeople[r.URL.Path], err))
			return
		}
		web.Path.Fail(w, r, web.WithAdvice(err, "use "+allow))
	}
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
	if web.WantsPage(r) {
		f.Site.Fail(w, r, f.Site.NotFound())
		return
	}
	web.Path.Fail(w, r, because("not_found", "there is nothing at this path"))
}

// files serves the pages' files. What is no file, and a method that files do not have, is
// answered as everywhere else.
func (f *Front) files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !f.Files.Has(r.URL.Path):
			f.nowhere(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			const allow = "GET, HEAD"
			w.Header().Set("Allow", allow)
			f.wrongMethodPage(w, r, allow)
		default:
			f.Files.ServeHTTP(w, r)
		}
	})
}

// broken answers for a handler that panicked, with a reference for the log.
func (f *Front) broken(w http.ResponseWriter, r *http.Request) {
	if web.WantsPage(r) {
		f.Site.Fail(w, r, errPanic)
		return
	}
	web.Path.Fail(w, r, errPanic)
}

// forPeople lets every room answer people by a page where it answers programs by JSON.
func (f *Front) forPeople(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.TraceOf(r.Context()).ShowPagesOf(f.Site)
		next.ServeHTTP(w, r)
	})
}

// plainPaths refuses paths that two readers could read in two ways, in front of
// everything: the router would clean some of them by a redirect.
func (f *Front) plainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path
		clean := path.Clean(at)
		if strings.HasSuffix(at, "/") && clean != "/" {
			clean += "/"
		}
		if at != clean || r.URL.RawPath != "" || strings.ContainsAny(at, `\;`) || !strings.HasPrefix(at, "/") {
			f.notPlain(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (f *Front) notPlain(w http.ResponseWriter, r *http.Request) {
	err := because("path_not_plain", "write the path plainly")
	if web.WantsPage(r) {
		f.Site.Fail(w, r, f.Site.AmbiguousPath(err))
		return
	}
	web.Path.Fail(w, r, err)
}

func because(code, text string) error { return web.Because(code, errors.New(text)) }

var errPanic = because("panic", "the handler panicked")
