package front

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"signet/provider/web"
	"signet/templates/words"
)

// methodNotAllowed returns the answer of a program's endpoint to a method that the
// endpoint does not serve. Browsers get a page; pageFor gives, for each path, the page for
// people that this page links to.
func (f *Front) methodNotAllowed(pageFor map[string]web.Link) web.MethodRefusal {
	return func(w http.ResponseWriter, r *http.Request, allow string) {
		err := because("method_not_allowed", "the method is not one of "+allow)
		if web.WantsPage(r) {
			f.Site.Fail(w, r, f.Site.NotForBrowsers(pageFor[r.URL.Path], err))
			return
		}
		f.surfaceOf(r).Fail(w, r, web.WithAdvice(err, "use "+allow))
	}
}

// refuseMethodOnPage answers a method that the page at this path does not serve.
func (f *Front) refuseMethodOnPage(w http.ResponseWriter, r *http.Request, allow string) {
	f.Site.Fail(w, r, &web.Problem{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: words.Say("method-problem.title"),
		Text: words.Say("method-problem.text", "Methods", allow), StartURL: f.Site.Base + "/", StartText: words.Say("method-problem.start-page"),
	})
}

// notFound answers unknown paths: browsers get a page, programs get JSON.
func (f *Front) notFound(w http.ResponseWriter, r *http.Request) {
	if web.WantsPage(r) {
		f.Site.Fail(w, r, f.Site.NotFound())
		return
	}
	f.surfaceOf(r).Fail(w, r, web.WithAdvice(because("not_found", "no route has this path"), "no route has this path"))
}

// surfaceOf returns the surface of the programs that call this path. The router has removed the path
// of the issuer, the middlewares before it have not.
func (f *Front) surfaceOf(r *http.Request) web.Surface {
	below, ours := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, f.Site.Base), web.AdminAPIRoot)
	if ours && (below == "" || below[0] == '/') {
		return web.API
	}
	return web.Path
}

// files serves the static files of the pages. Unknown files and other methods than GET and
// HEAD get the same answers as on any other path.
func (f *Front) files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !f.Files.Has(r.URL.Path):
			f.notFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			const allow = "GET, HEAD"
			w.Header().Set("Allow", allow)
			f.refuseMethodOnPage(w, r, allow)
		default:
			f.Files.ServeHTTP(w, r)
		}
	})
}

// answerPanic answers for a handler that panicked. The answer carries the reference of the
// log line.
func (f *Front) answerPanic(w http.ResponseWriter, r *http.Request) {
	if web.WantsPage(r) {
		f.Site.Fail(w, r, errPanic)
		return
	}
	f.surfaceOf(r).Fail(w, r, errPanic)
}

// allowPages lets every handler answer browsers with a page where it answers programs with
// JSON.
func (f *Front) allowPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.TraceOf(r.Context()).ShowPagesOf(f.Site)
		next.ServeHTTP(w, r)
	})
}

// requirePlainPaths refuses paths that two programs could read differently. It runs before
// the router, which would clean some of these paths with a redirect.
func (f *Front) requirePlainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path
		clean := path.Clean(at)
		if strings.HasSuffix(at, "/") && clean != "/" {
			clean += "/"
		}
		if at != clean || r.URL.RawPath != "" || strings.ContainsAny(at, `\;`) || !strings.HasPrefix(at, "/") {
			f.refusePath(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (f *Front) refusePath(w http.ResponseWriter, r *http.Request) {
	err := because("path_not_plain", "the path is not in its plain form")
	if web.WantsPage(r) {
		f.Site.Fail(w, r, f.Site.AmbiguousPath(err))
		return
	}
	f.surfaceOf(r).Fail(w, r, err)
}

func because(code, text string) error { return web.Because(code, errors.New(text)) }

var errPanic = because("panic", "the handler panicked")
