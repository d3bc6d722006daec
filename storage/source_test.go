package storage_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What gorm offers and this package must not use, with the reason.
var forbiddenCalls = map[string]string{
	".Transaction(": "a nested one skips its rollback when the context is dead, and commits half a use case",
	".SavePoint(":   "savepoints are raw statements on the batch's own connection",
	".Save(":        "it brings back a row that was deleted in between",
	".First(":       "it orders, and takes a string for SQL: use Where and Take",
	".AutoMigrate(": "the schema changes by numbered migrations alone",
	".Where(&":      "a condition from a struct leaves out its zero values, and so may hit every row",
	".Where(map":    "conditions are written out",
	".Delete(":      "an inline condition is SQL: write the statement out",
	"AllowGlobal":   "no statement is for every row",
}

func TestSource_UsesNoForbiddenGormCalls(t *testing.T) {
	files, err := filepath.Glob("*.go")
	inner, err2 := filepath.Glob("engine/*.go")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	files = append(files, inner...)
	read := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read++
		for call, reason := range forbiddenCalls {
			if strings.Contains(string(text), call) {
				t.Errorf("%s uses %s: %s", file, call, reason)
			}
		}
	}
	if read < 15 {
		t.Errorf("read %d files: not the whole package", read)
	}
}

// bypassesGorm are the statements that go past gorm, with the reason: see doc.go.
var bypassesGorm = map[string]string{
	"selectSessionByHandle":   "each request of a browser that is signed in",
	"selectFirstPartySession": "each request of a browser that is signed in",
	"selectUserByEmail":       "each sign-in with a password, and each that is refused",
	"touchLive":               "each code and each first-party refresh; it returns a row",
	"selectWithdrawn":         "each code",
	"insertSpent":             "each code",
	"insertGrant":             "each code",
	"countSessions":           "each sign-in",
	"selectFirstParty":        "each first-party refresh",
	"buildRotateGrant":        "each refresh; it returns a row",
	"touchGrantSession":       "each refresh",
	"buildSelectGrant":        "each userinfo and introspection",
	"grantDeath":              "a client goes on presenting what is dead: a refusal must not cost more than an answer",
	"sessionDeath":            "a client goes on presenting what is dead: a refusal must not cost more than an answer",
	"endOne":                  "each end of a session, hundreds in one transaction when a user is signed out; it returns a row",
	"deleteDeadGrants":        "the sweep runs beside the traffic, on the one writer",
	"deleteNotices":           "the sweep runs beside the traffic, on the one writer",
	"deleteSession":           "the sweep runs beside the traffic, on the one writer",
}

func TestSource_OnlyListedStatementsBypassGorm(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			for owner, node := range declarations(d) {
				ast.Inspect(node, func(n ast.Node) bool {
					selected, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					switch selected.Sel.Name {
					case "NewStatement":
						found[owner] = true
						if bypassesGorm[owner] == "" {
							t.Errorf("%s: %s goes past gorm and is not listed: see doc.go", name, owner)
						}
					case "ConnPool":
						t.Errorf("%s: %s takes gorm's connection: that is for engine.Statement alone", name, owner)
					}
					return true
				})
			}
		}
	}
	for owner := range bypassesGorm {
		if !found[owner] {
			t.Errorf("%s is listed and does not go past gorm", owner)
		}
	}
}

// declarations gives the functions and the variables of a declaration by their names.
func declarations(d ast.Decl) map[string]ast.Node {
	nodes := map[string]ast.Node{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		nodes[d.Name.Name] = d
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				nodes[v.Names[0].Name] = v
			}
		}
	}
	return nodes
}
