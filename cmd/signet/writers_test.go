package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// writers are the methods that create or change clients and users by the rules of the
// directory. The directory has them under the same names or its own; storage has
// them without their rules.
var writers = []string{
	"CreateClient", "ReviseClient", "SetClientEnabled", "DeleteClient", "ReplaceSecret",
	"CreateUser", "ReviseUser", "SetUserEnabled", "DeleteUser", "GrantAdmin", "RevokeAdmin", "ResetPassword", "CompleteSetup", "UpdateProfile",
}

// TestRooms_OnlyTheDirectoryWritesClientsAndUsers: nobody goes past the rules.
func TestRooms_OnlyTheDirectoryWritesClientsAndUsers(t *testing.T) {
	read := 0
	eachGoFile(t, "../..", func(name string, source []byte) {
		read++
		for _, wrong := range pastTheDirectory(t, name, source) {
			t.Error(wrong)
		}
	})
	if read < 100 {
		t.Fatalf("read %d Go files: this is not the root of the repository", read)
	}
}

// TestRooms_WrongWriterIsNamed shows that the test above can fail.
func TestRooms_WrongWriterIsNamed(t *testing.T) {
	for source, wrong := range map[string]bool{
		`db.CreateClient()`:                        true,
		`h.DB.ReviseUser()`:                        true,
		`p.database(c).DeleteUser()`:               true,
		`(*storage.DB).ResetPassword`:              true,
		`h.Directory.ReviseUser()`:                 false,
		`p.directory(config, db).CreateClient()`:   false,
		`act((*directory.Directory).DeleteClient)`: false,
		`db.Client()`:                              false,
	} {
		got := pastTheDirectory(t, "provider/x.go", []byte("package x\nvar _ = "+source))
		if (len(got) == 1) != wrong {
			t.Errorf("%s: got %q", source, got)
		}
	}
	if got := pastTheDirectory(t, "provider/directory/x.go", []byte("package directory\nvar _ = d.db.CreateUser()")); len(got) != 0 {
		t.Errorf("the directory itself: got %q", got)
	}
}

// pastTheDirectory gives a line for each use of a writer on something that is not called
// a directory. Tests, and packages for tests, may write as they like.
func pastTheDirectory(t *testing.T, name string, source []byte) []string {
	t.Helper()
	room := path.Dir(name)
	_, testRoom := testRooms[room]
	if testRoom || strings.HasSuffix(name, "_test.go") || room == "storage" || room == "provider/directory" {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(writers, s.Sel.Name) && !strings.EqualFold(lastName(s.X), "directory") {
			wrong = append(wrong, fmt.Sprintf("%s: %s goes past the rules of clients and users: call the method of a directory.Directory, and call that directory", name, s.Sel.Name))
		}
		return true
	})
	return wrong
}

// lastName is the name that an expression ends with: c of a.b.c, of c(x) and of (*b.c).
func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr:
		return lastName(x.Fun)
	case *ast.ParenExpr:
		return lastName(x.X)
	case *ast.StarExpr:
		return lastName(x.X)
	}
	return ""
}
