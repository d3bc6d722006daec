package web

import (
	"net/http"
	"strings"
)

// Router finds the handler of a request. It matches the path first and the method second:
// a wrong method at a known path is 405 with Allow (RFC 9110, section 15.5.6), and an
// unknown path gets the handler of NotFound.
//
// A pattern is "METHOD|METHOD /path", with a path of http.ServeMux. HEAD is answered only
// if the pattern contains it. The standard library would run the GET handler for HEAD, but
// some of our GET handlers change something: one ends a session, another finishes a
// sign-in at an upstream. Add HEAD to a pattern only if GET changes nothing.
type Router struct {
	mux   *http.ServeMux
	paths map[string]*methods
	page  MethodRefusal
	api   MethodRefusal
}

// MethodRefusal answers 405. The router has already set the header Allow to allow.
type MethodRefusal func(w http.ResponseWriter, r *http.Request, allow string)

// NewRouter makes a router without routes. page answers wrong methods at paths of pages,
// api at all other paths.
func NewRouter(page, api MethodRefusal) *Router {
	return &Router{mux: http.NewServeMux(), paths: map[string]*methods{}, page: page, api: api}
}

// Page adds a route for people: the answer to a wrong method is a page.
func (t *Router) Page(pattern string, h http.Handler) { t.add(pattern, h, t.page) }

// API adds a route for programs: the answer to a wrong method is JSON.
func (t *Router) API(pattern string, h http.Handler) { t.add(pattern, h, t.api) }

// Add adds a row of the list. It uses the path as it is and adds no prefix.
func (t *Router) Add(r Route) {
	refuse := r.Refuse
	switch {
	case refuse != nil:
	case r.Policy.IsPage():
		refuse = t.page
	default:
		refuse = t.api
	}
	t.add(r.Methods+" "+r.Path, r.Handler, refuse)
}

// Subtree adds all paths below a prefix that ends with a slash. The handler checks the
// method itself.
func (t *Router) Subtree(prefix string, h http.Handler) { t.mux.Handle(prefix, h) }

// NotFound adds the handler of all paths that have no route.
func (t *Router) NotFound(h http.HandlerFunc) { t.mux.Handle("/", h) }

func (t *Router) add(pattern string, h http.Handler, refuse MethodRefusal) {
	names, path, found := strings.Cut(pattern, " ")
	if !found {
		panic("web: route without a method: " + pattern)
	}
	at := t.paths[path]
	if at == nil {
		at = &methods{refuse: refuse}
		t.paths[path] = at
		t.mux.Handle(path, at)
	}
	for name := range strings.SplitSeq(names, "|") {
		if at.handlerOf(name) != nil {
			panic("web: two routes for " + name + " " + path)
		}
		own := h
		if name == http.MethodHead {
			own = withoutCookies(h)
		}
		at.list = append(at.list, method{name, own})
	}
}

// ServeHTTP serves the request and notes the path pattern of its route in the trace.
// Metrics are counted by pattern, because the number of paths has no limit.
func (t *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if trace := TraceOf(r.Context()); trace.route == "" {
			trace.route = strings.TrimSuffix(r.Pattern, "{$}")
		}
	}()
	t.mux.ServeHTTP(w, r)
}

// methods serves one path.
type methods struct {
	list   []method
	refuse MethodRefusal
}

type method struct {
	name    string
	handler http.Handler
}

func (m *methods) handlerOf(name string) http.Handler {
	for _, one := range m.list {
		if one.name == name {
			return one.handler
		}
	}
	return nil
}

// ServeHTTP runs the handler of the method. If there is none, it answers 405 with Allow
// (RFC 9110, section 15.5.6).
func (m *methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := m.handlerOf(r.Method); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	var names []string
	for _, one := range m.list {
		names = append(names, one.name)
	}
	allow := strings.Join(names, ", ")
	w.Header().Set("Allow", allow)
	m.refuse(w, r, allow)
}

// withoutCookies serves HEAD. It removes Set-Cookie from the answer, whether the header
// sets a cookie or deletes one.
func withoutCookies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&cookieRemover{ResponseWriter: w}, r)
		w.Header().Del("Set-Cookie") // if the handler has written nothing
	})
}

type cookieRemover struct{ http.ResponseWriter }

// WriteHeader removes the cookies before the header is sent.
func (w *cookieRemover) WriteHeader(status int) {
	w.Header().Del("Set-Cookie")
	w.ResponseWriter.WriteHeader(status)
}

// Write removes the cookies too, in case WriteHeader was not called.
func (w *cookieRemover) Write(b []byte) (int, error) {
	w.Header().Del("Set-Cookie")
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *cookieRemover) Unwrap() http.ResponseWriter { return w.ResponseWriter }
