package providertest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var pattern = regexp.MustCompile(`^(?:([A-Z|]+) )?(/[a-z0-9/._{}$-]*)$`)

// Route is a path as it stands in the source, with the methods that it serves.
type Route struct {
	Path    string
	Methods []string
	Page    bool // for people
}

// Routes lists the paths that the provider serves: a route that somebody adds is in
// every table that is made of them.
func Routes(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range RouteTable(t) {
		paths = append(paths, r.Path)
	}
	return paths
}

// RouteTable reads the routes from the source.
func RouteTable(t *testing.T) []*Route {
	t.Helper()
	root := "." // of the provider; a room's tests run one below it
	if _, err := os.Stat("providertest"); err != nil {
		root = ".."
	}
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var table []*Route
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
	for _, known := range []string{"/", "/token", "/authorize", "/login", "/account", "/jwks", "/healthz", WellKnown} {
		if !slices.ContainsFunc(table, func(r *Route) bool { return r.Path == known }) {
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
func addRoute(table []*Route, literal string, page bool) []*Route {
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
		if r.Path == path {
			for _, method := range methods {
				if !slices.Contains(r.Methods, method) {
					r.Methods = append(r.Methods, method)
				}
			}
			return table
		}
	}
	return append(table, &Route{path, methods, page})
}

// Call asks a route for something, without a body that it could like.
func (b *Testbed) Call(t *testing.T, method, path string, headers http.Header) Answer {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", FormType)
	}
	for name, values := range headers {
		r.Header[name] = values
	}
	return Do(t, Direct, r)
}
