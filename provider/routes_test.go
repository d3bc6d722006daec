package provider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var pattern = regexp.MustCompile(`^(?:([A-Z|]+) )?(/[a-z0-9/._{}$-]*)$`)

// route is a path as it stands in the source, with the methods that it serves.
type route struct {
	path    string
	methods []string
	page    bool // for people
}

// routes lists the paths that the provider serves: a route that somebody adds is in
// every table that is made of them.
func routes(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range routeTable(t) {
		paths = append(paths, r.path)
	}
	return paths
}

// routeTable reads the routes from the source.
func routeTable(t *testing.T) []*route {
	t.Helper()
	var files []string
	for _, folder := range []string{".", "interaction", "account", "admin"} {
		found, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var table []*route
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			function, ok := n.(*ast.FuncDecl)
			if !ok || !slices.Contains([]string{"routes", "Routes", "documents"}, function.Name.Name) {
				return true
			}
			api := literalsOfAPI(function)
			ast.Inspect(function, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil {
						table = addRoute(table, text, function.Name.Name != "documents" && !api[literal])
					}
				}
				return true
			})
			return false
		})
	}
	for _, known := range []string{"/", "/token", "/authorize", "/login", "/account", "/jwks", "/healthz", wellKnown} {
		if !slices.ContainsFunc(table, func(r *route) bool { return r.path == known }) {
			t.Fatalf("%s is not among the routes that were found", known)
		}
	}
	return table
}

// literalsOfAPI are the patterns that a function registers for programs.
func literalsOfAPI(function *ast.FuncDecl) map[*ast.BasicLit]bool {
	found := map[*ast.BasicLit]bool{}
	ast.Inspect(function, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "API" {
				if literal, ok := call.Args[0].(*ast.BasicLit); ok {
					found[literal] = true
				}
			}
		}
		return true
	})
	return found
}

// addRoute adds a literal if it is a pattern. A path that comes without methods is a
// document.
func addRoute(table []*route, literal string, page bool) []*route {
	match := pattern.FindStringSubmatch(literal)
	if match == nil || match[2] == "/" {
		return table
	}
	methods := []string{http.MethodGet, http.MethodHead}
	if match[1] != "" {
		methods = strings.Split(match[1], "|")
	}
	path := strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(match[2])
	for _, r := range table {
		if r.path == path {
			for _, method := range methods {
				if !slices.Contains(r.methods, method) {
					r.methods = append(r.methods, method)
				}
			}
			return table
		}
	}
	return append(table, &route{path, methods, page})
}

// call asks a route for something, without a body that it could like.
func (b *testbed) call(t *testing.T, method, path string, headers http.Header) answer {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", formType)
	}
	for name, values := range headers {
		r.Header[name] = values
	}
	return do(t, direct, r)
}

func TestRoutes_AllAreServed(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		for _, path := range routes(t) {
			get, post := b.call(t, http.MethodGet, path, nil), b.call(t, http.MethodPost, path, nil)
			if get.StatusCode == http.StatusNotFound && post.StatusCode == http.StatusNotFound {
				t.Errorf("there is nothing at %s", path)
			}
			for _, a := range []answer{get, post} {
				if a.StatusCode >= 500 {
					t.Errorf("%s %s: got %d", a.Request.Method, path, a.StatusCode)
				}
			}
		}
	})
}

// Who is nowhere finds the start page, and from there the way in.
func TestRoutes_NowhereLeadsToTheStartPage(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			v := b.visitor(t)
			lost := v.get(t, b.Issuer+"/nowhere")
			lost.wantPage(t, http.StatusNotFound, "not_found")
			home := v.get(t, lost.link(t, "start"))
			home.wantAt(t, path+"/")
			page := v.signIn(t, v.get(t, home.link(t, "account")), alice, password)
			page.wantAt(t, path+"/account")
			if back := v.get(t, lost.link(t, "start")).link(t, "account"); back != b.Issuer+"/account" {
				t.Errorf("signed in, the start page leads to %s", back)
			}
		}, under(path))
	}
}
