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

// unanswered are causes in the rooms of the OAuth endpoints that need no row of the
// table, each with the reason.
var unanswered = map[string]string{
	"oauth.foreign_token":                 "revocation notes it and answers 200 (RFC 7009, section 2.2)",
	"oauth.grant_dead":                    "it wraps the not_found of storage, which has a row",
	"oauth/logout.go.malformed_request":   "a page tells it",
	"oauth.request_too_large":             "a page tells it: an answer would be as large",
	"request.client_disabled":             "client authentication answers it as unauthenticated, and the authorization endpoint with a page",
	"request.client_id_missing":           "a page tells it: nothing is redirected to an unknown client",
	"request.unknown_client":              "a page tells it: nothing is redirected to an unknown client",
	"request.redirect_uri_missing":        "a page tells it: there is nowhere to redirect to",
	"request.redirect_uri_not_registered": "a page tells it: nothing is redirected there",
	"request.invalid_request_link":        "a page tells it",
	"request.request_expired":             "a page tells it",
	"request.first_party_not_configured":  "the first-party app alone meets it, see the App surface",
}

// A cause without a row would be answered as server_error, though its sender is at fault.
func TestAnswers_EachCauseOfAnOAuthEndpointHasARow(t *testing.T) {
	source := readCauses(t, "oauth", "flow", "request")
	if len(source.causes) < 30 {
		t.Errorf("found %d causes only: %v", len(source.causes), source.causes)
	}
	used := map[string]bool{}
	for _, c := range source.causes {
		surface := web.OAuth
		if c.file == "oauth/userinfo.go" { // the one that bearers call
			surface = web.Bearer
		}
		byRoom, byFile := c.room+"."+c.code, c.file+"."+c.code
		used[byRoom], used[byFile] = true, true
		if !source.answered(surface, c.room, c.call) && unanswered[byRoom] == "" && unanswered[byFile] == "" {
			t.Errorf("provider/%s: the cause %q has no row in the table of answers, and wraps none that has one: give it a row in answers.go, or a reason in unanswered", c.file, c.code)
		}
	}
	for name := range unanswered {
		if !used[name] {
			t.Errorf("%s is excepted, and no error has that cause", name)
		}
	}
}

// errorSource is what the source of some rooms tells of their errors.
type errorSource struct {
	causes []cause
	vars   map[string]ast.Expr       // by room and name
	makers map[string]*ast.BlockStmt // functions that give an error its cause, their first argument
}

type cause struct {
	room, file, code string
	call             *ast.CallExpr
}

// readCauses reads the source of rooms of the provider.
func readCauses(t *testing.T, rooms ...string) *errorSource {
	t.Helper()
	found := &errorSource{vars: map[string]ast.Expr{}, makers: map[string]*ast.BlockStmt{"web.Because": {}}}
	files := map[string]*ast.File{}
	for _, room := range rooms {
		names, err := filepath.Glob("../" + room + "/*.go")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", room, len(names), err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files[room+"/"+filepath.Base(name)] = file
			found.declare(room, file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		room, _, _ := strings.Cut(name, "/")
		ast.Inspect(files[name], func(n ast.Node) bool {
			if call, code := found.causeIn(room, n); code != "" {
				found.causes = append(found.causes, cause{room, name, code, call})
			}
			return true
		})
	}
	return found
}

// declare notes the variables of a file, and its functions that begin with a code.
func (f *errorSource) declare(room string, file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if p := d.Type.Params.List; d.Recv == nil && len(p) > 0 && len(p[0].Names) > 0 && p[0].Names[0].Name == "code" {
				f.makers[room+"."+d.Name.Name] = d.Body
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
					for i, name := range v.Names {
						f.vars[room+"."+name.Name] = v.Values[i]
					}
				}
			}
		}
	}
}

// causeIn gives the code that a call gives an error; "" for anything else.
func (f *errorSource) causeIn(room string, n ast.Node) (*ast.CallExpr, string) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 || f.makers[nameOf(room, call.Fun)] == nil {
		return nil, ""
	}
	switch given := call.Args[0].(type) {
	case *ast.BasicLit:
		code, _ := strconv.Unquote(given.Value)
		return call, code
	case *ast.Ident:
		if given.Name == "code" { // within such a function: its callers say it
			return nil, ""
		}
	}
	return call, "not written out"
}

// answered reports whether the code of an error, or of one that it wraps, has a row.
func (f *errorSource) answered(s web.Surface, room string, in ast.Node) bool {
	has := false
	ast.Inspect(in, func(n ast.Node) bool {
		if call, code := f.causeIn(room, n); code != "" {
			has = has || s.Answers(code) || f.answered(s, room, f.makers[nameOf(room, call.Fun)])
		}
		if name := nameOf(room, n); f.vars[name] != nil {
			at, _, _ := strings.Cut(name, ".")
			has = has || f.answered(s, at, f.vars[name])
		}
		return !has
	})
	return has
}

// nameOf gives what an identifier names, with its room.
func nameOf(room string, n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		return room + "." + n.Name
	case *ast.SelectorExpr:
		if from, ok := n.X.(*ast.Ident); ok {
			return from.Name + "." + n.Sel.Name
		}
	}
	return ""
}
