package web_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signet/provider/web"
)

// unanswered lists the causes in the packages of the OAuth endpoints that need no row in
// the table, each with the reason.
var unanswered = map[string]string{
	"oauth.foreign_token":                 "revocation only logs it and answers 200 (RFC 7009, section 2.2)",
	"oauth.grant_dead":                    "it wraps the not_found of storage, which has a row",
	"oauth/logout.go.malformed_request":   "the answer is a page",
	"oauth.request_object_malformed":      "openRequestObject answers it with a refusal, as all errors of request objects",
	"oauth.request_too_large":             "the answer is a page: a redirect would be as large as the request",
	"request.client_disabled":             "client authentication answers it as unauthenticated, and the authorization endpoint with a page",
	"request.client_id_missing":           "the answer is a page: an unknown client gets no redirect",
	"request.unknown_client":              "the answer is a page: an unknown client gets no redirect",
	"request.redirect_uri_missing":        "the answer is a page: there is no URI for a redirect",
	"request.redirect_uri_not_registered": "the answer is a page: an unregistered URI gets no redirect",
	"request.invalid_request_link":        "the answer is a page",
	"request.pushed_request_unknown":      "the answer is a page: nothing proves a URI for a redirect",
	"request.pushed_request_expired":      "the answer is a page: nothing proves a URI for a redirect",
	"request.pushed_request_used":         "the answer is a page: nothing proves a URI for a redirect",
	"request.request_expired":             "the answer is a page",
	"request.first_party_not_configured":  "it occurs only for the first-party app, see the App surface",
}

// The answer to a cause without a row is server_error, although the sender made the mistake.
func TestAnswers_EachCauseOfAnOAuthEndpointHasARow(t *testing.T) {
	source := readCauses(t, "oauth", "flow", "request")
	if len(source.causes) < 30 {
		t.Errorf("found only %d causes: %v", len(source.causes), source.causes)
	}
	used := map[string]bool{}
	for _, c := range source.causes {
		surface := web.OAuth
		if c.file == "oauth/userinfo.go" || c.code == "registration_token" { // on the Bearer surface
			surface = web.Bearer
		}
		byPackage, byFile := c.pkg+"."+c.code, c.file+"."+c.code
		used[byPackage], used[byFile] = true, true
		if !source.answered(surface, c.pkg, c.call) && unanswered[byPackage] == "" && unanswered[byFile] == "" {
			t.Errorf("provider/%s: the cause %q has no row in the table of answers and wraps no cause that has one: add a row in answers.go, or a reason in unanswered", c.file, c.code)
		}
	}
	for name := range unanswered {
		if !used[name] {
			t.Errorf("unanswered lists %s, but no error has that cause", name)
		}
	}
}

// errorSource is the result of reading the source of some packages: their errors.
type errorSource struct {
	causes []cause
	vars   map[string]ast.Expr       // by package and name
	makers map[string]*ast.BlockStmt // functions that add a cause, their first argument, to an error
}

type cause struct {
	pkg, file, code string
	call            *ast.CallExpr
}

// readCauses reads the source of packages below provider.
func readCauses(t *testing.T, packages ...string) *errorSource {
	t.Helper()
	found := &errorSource{vars: map[string]ast.Expr{}, makers: map[string]*ast.BlockStmt{"web.Because": {}}}
	files := map[string]*ast.File{}
	for _, pkg := range packages {
		names, err := filepath.Glob("../" + pkg + "/*.go")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pkg, len(names), err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files[pkg+"/"+filepath.Base(name)] = file
			found.declare(pkg, file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		pkg, _, _ := strings.Cut(name, "/")
		ast.Inspect(files[name], func(n ast.Node) bool {
			if call, code := found.causeIn(pkg, n); code != "" {
				found.causes = append(found.causes, cause{pkg, name, code, call})
			}
			return true
		})
	}
	return found
}

// declare adds the variables of a file, and its functions with code as first parameter.
func (f *errorSource) declare(pkg string, file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if p := d.Type.Params.List; d.Recv == nil && len(p) > 0 && len(p[0].Names) > 0 && p[0].Names[0].Name == "code" {
				f.makers[pkg+"."+d.Name.Name] = d.Body
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
					for i, name := range v.Names {
						f.vars[pkg+"."+name.Name] = v.Values[i]
					}
				}
			}
		}
	}
}

// causeIn returns the code that a call adds to an error, or "" for any other node.
func (f *errorSource) causeIn(pkg string, n ast.Node) (*ast.CallExpr, string) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 || f.makers[nameOf(pkg, call.Fun)] == nil {
		return nil, ""
	}
	switch argument := call.Args[0].(type) {
	case *ast.BasicLit:
		code, _ := strconv.Unquote(argument.Value)
		return call, code
	case *ast.Ident:
		if argument.Name == "code" { // inside a maker: the literal is at its callers
			return nil, ""
		}
	}
	return call, "not a literal"
}

// answered reports whether the code of an error, or of an error that it wraps, has a row.
func (f *errorSource) answered(s web.Surface, pkg string, in ast.Node) bool {
	has := false
	ast.Inspect(in, func(n ast.Node) bool {
		if call, code := f.causeIn(pkg, n); code != "" {
			has = has || s.Answers(code) || f.answered(s, pkg, f.makers[nameOf(pkg, call.Fun)])
		}
		if name := nameOf(pkg, n); f.vars[name] != nil {
			at, _, _ := strings.Cut(name, ".")
			has = has || f.answered(s, at, f.vars[name])
		}
		return !has
	})
	return has
}

// nameOf returns an identifier with the name of its package.
func nameOf(pkg string, n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		return pkg + "." + n.Name
	case *ast.SelectorExpr:
		if from, ok := n.X.(*ast.Ident); ok {
			return from.Name + "." + n.Sel.Name
		}
	}
	return ""
}
