package provider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signet/provider/web"
)

// packageSource is the source code of one package that serves routes.
type packageSource struct {
	files   map[string]*ast.File     // by name
	methods map[string]*ast.FuncDecl // by name
	where   map[string]string        // method → name of its file
}

func readPackage(t *testing.T, pkg string) packageSource {
	t.Helper()
	source := packageSource{files: map[string]*ast.File{}, methods: map[string]*ast.FuncDecl{}, where: map[string]string{}}
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no Go files in %s: %v", pkg, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		source.files[filepath.Base(name)] = file
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv != nil {
				source.methods[f.Name.Name], source.where[f.Name.Name] = f, filepath.Base(name)
			}
		}
	}
	return source
}

// handlerFiles returns the files, below provider, that hold the handlers of a route. It
// finds the row of the route in the source code, and in it the method that serves the path.
func handlerFiles(t *testing.T, route web.Route, issuerPath string) []string {
	t.Helper()
	var found []string
	packages := strings.Split(route.Package, ", ")
	for _, pkg := range packages {
		source := readPackage(t, pkg)
		file := ""
		if len(packages) > 1 { // the packages share the path, and each has a method for it
			file = source.fileOf(source.methods["Login"])
		} else {
			file = source.fileOfRow(route.Methods, strings.TrimSuffix(route.Path, issuerPath))
		}
		if file == "" {
			t.Fatalf("%s %s: no row of the package %s has this path", route.Methods, route.Path, pkg)
		}
		if _, err := os.Stat(filepath.Join(pkg, file)); err != nil {
			t.Fatal(err)
		}
		found = append(found, path.Join(pkg, file))
	}
	return found
}

// fileOfRow returns the file of the handler in the row with this path, and with these
// methods if the row names them. If the handler belongs to another package, it returns the
// file of the row.
func (s packageSource) fileOfRow(methods, routePath string) string {
	best := ""
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		for _, declared := range s.files[name].Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				parts := partsOfRow(n)
				if !hasString(parts, routePath) {
					return true
				}
				if named := hasString(parts, methods); best == "" || named {
					if best = s.fileOf(n, function); best == "" {
						best = name
					}
				}
				return true
			})
		}
	}
	return best
}

// partsOfRow returns the arguments of a call, or the fields of a literal.
func partsOfRow(n ast.Node) []ast.Expr {
	var parts []ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		parts = n.Args
	case *ast.CompositeLit:
		for _, element := range n.Elts {
			if field, ok := element.(*ast.KeyValueExpr); ok {
				parts = append(parts, field.Value)
			}
		}
	}
	return parts
}

func hasString(parts []ast.Expr, want string) bool {
	for _, part := range parts {
		if sum, ok := part.(*ast.BinaryExpr); ok {
			part = sum.X
		}
		if literal, ok := part.(*ast.BasicLit); ok && literal.Value == strconv.Quote(want) {
			return true
		}
	}
	return false
}

// fileOf returns the file of the last method that the node refers to: handlers are inside
// their wrappers. Variables stand for the values that the function in scope gives them. A
// method in the file of the routes stands for its own body.
func (s packageSource) fileOf(n ast.Node, scope ...ast.Node) string {
	last := ""
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			switch file := s.where[n.Sel.Name]; file {
			case "":
			case "routes.go":
				last = s.fileOf(s.methods[n.Sel.Name].Body)
			default:
				last = file
			}
		case *ast.Ident:
			for _, function := range scope {
				if value := valueOf(n.Name, function); value != nil && value != n {
					if file := s.fileOf(value); file != "" {
						last = file
					}
				}
			}
		}
		return true
	})
	return last
}

// valueOf returns the expression that the function assigns to the variable.
func valueOf(name string, function ast.Node) (value ast.Expr) {
	ast.Inspect(function, func(n ast.Node) bool {
		assigned, ok := n.(*ast.AssignStmt)
		if ok && len(assigned.Lhs) == 1 && len(assigned.Rhs) == 1 {
			left, isName := assigned.Lhs[0].(*ast.Ident)
			_, isCall := assigned.Rhs[0].(*ast.CallExpr)
			if isName && isCall && left.Name == name {
				value = assigned.Rhs[0]
			}
		}
		return true
	})
	return value
}
