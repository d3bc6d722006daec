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

// writers lists the methods that create or change clients and users. Those of the directory check the
// rules; those of storage do not.
var writers = []string{
	"CreateClient", "ReviseClient", "SetClientEnabled", "DeleteClient", "ReplaceSecret",
	"CreateUser", "ReviseUser", "SetUserEnabled", "DeleteUser", "GrantAdmin", "RevokeAdmin", "ResetPassword", "CompleteSetup", "UpdateProfile",
}

// No package may bypass the rules of the directory.
func TestRooms_OnlyTheDirectoryWritesClientsAndUsers(t *testing.T) {
	read := 0
	eachGoFile(t, "../..", func(name string, source []byte) {
		read++
		for _, wrong := range bypassesOf(t, name, source) {
			t.Error(wrong)
		}
	})
	if read < 100 {
		t.Fatalf("read %d Go files: this is not the root of the repository", read)
	}
}

// The test above can fail.
func TestRooms_WrongWriterIsReported(t *testing.T) {
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
		got := bypassesOf(t, "provider/x.go", []byte("package x\nvar _ = "+source))
		if (len(got) == 1) != wrong {
			t.Errorf("%s: got %q", source, got)
		}
	}
	if got := bypassesOf(t, "provider/directory/x.go", []byte("package directory\nvar _ = d.db.CreateUser()")); len(got) != 0 {
		t.Errorf("the directory itself: got %q", got)
	}
}

// bypassesOf returns one line for each call of a writer on a value that is not named directory. Tests
// and test packages may call all writers.
func bypassesOf(t *testing.T, name string, source []byte) []string {
	t.Helper()
	room := path.Dir(name)
	_, isTestPackage := testPackages[room]
	if isTestPackage || strings.HasSuffix(name, "_test.go") || room == "storage" || room == "provider/directory" {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(writers, s.Sel.Name) && !strings.EqualFold(lastName(s.X), "directory") {
			wrong = append(wrong, fmt.Sprintf("%s: %s bypasses the rules of clients and users: call the method of a directory.Directory, and name that value directory", name, s.Sel.Name))
		}
		return true
	})
	return wrong
}

// lastName returns the last name of an expression: c for a.b.c, c(x) and (*b.c).
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
