package web

import (
	"net/http"
	"strings"
)

// Router serves each path by its methods. It matches the path first and the method
// second, so that a wrong method at a known path is 405 with Allow (RFC 9110,
// section 15.5.6), and a path that does not exist is for NotFound.
//
// A pattern is "METHOD|METHOD /path"; the path is one of http.ServeMux. HEAD is
// answered only at patterns that name it. The standard library would run the handler
// of GET for every HEAD, and some of ours act: one ends a session, one finishes a
// sign-in at an upstream. Name HEAD only where GET changes nothing.
type Router struct {
	mux   *http.ServeMux
	paths map[string]*methods
	page  MethodRefusal
	api   MethodRefusal
}

// MethodRefusal answers 405. The header Allow is set already; allow is its value.
type MethodRefusal func(w http.ResponseWriter, r *http.Request, allow string)

// NewRouter makes a router without routes. page answers wrong methods at the paths of
// pages, api at the others.
func NewRouter(page, api MethodRefusal) *Router {
	return &Router{mux: http.NewServeMux(), paths: map[string]*methods{}, page: page, api: api}
}

// Page adds a route for people: a wrong method at its path is a page.
func (t *Router) Page(pattern string, h http.Handler) { t.add(pattern, h, t.page) }

// API adds a route for programs: a wrong method at its path is JSON.
func (t *Router) API(pattern string, h http.Handler) { t.add(pattern, h, t.api) }

// Add adds a row of the list, its path as it stands.
func (t *Router) Add(r Route) {
	refuse := t.api
	if r.Policy.IsPage() {
		refuse = t.page
	}
	t.add(r.Methods+" "+r.Path, r.Handler, refuse)
}

// Subtree adds everything under a prefix that ends with a slash. Its handler decides
// about methods itself.
func (t *Router) Subtree(prefix string, h http.Handler) { t.mux.Handle(prefix, h) }

// NotFound adds the answer to all paths that have no route.
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

// ServeHTTP notes in the request's trace which path it took, as the route has it: that
// is what requests are counted by, however many paths there are.
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

// ServeHTTP passes the request to the handler of its method; 405 and the Allow header if there
// is none (RFC 9110, section 15.5.6).
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

// withoutCookies serves HEAD: it lets no cookie through, neither a new one nor a removal.
func withoutCookies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&cookieRemover{ResponseWriter: w}, r)
		w.Header().Del("Set-Cookie") // of an answer that wrote nothing
	})
}

type cookieRemover struct{ http.ResponseWriter }

// WriteHeader removes the cookies before the header is sent.
func (w *cookieRemover) WriteHeader(status int) {
	w.Header().Del("Set-Cookie")
	w.ResponseWriter.WriteHeader(status)
}

// Write sends no cookie, whether or not WriteHeader was called.
func (w *cookieRemover) Write(b []byte) (int, error) {
	w.Header().Del("Set-Cookie")
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *cookieRemover) Unwrap() http.ResponseWriter { return w.ResponseWriter }
