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

// forbiddenCalls are calls of gorm that this package must not use, with the reason.
var forbiddenCalls = map[string]string{
	".Transaction(": "if the context has ended, a nested transaction skips its rollback and commits half a use case",
	".SavePoint(":   "savepoints are raw statements on the connection of the batch",
	".Save(":        "it brings back a row that was deleted meanwhile",
	".First(":       "it sorts, and runs a string as SQL: use Where and Take",
	".AutoMigrate(": "only numbered migrations change the schema",
	".Where(&":      "a condition from a struct leaves out zero values, so it may match every row",
	".Where(map":    "conditions are written as SQL",
	".Delete(":      "an inline condition is SQL: write the whole statement",
	"AllowGlobal":   "no statement may change every row",
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
		t.Errorf("read %d files, want the whole package", read)
	}
}

// bypassesGorm lists the statements that bypass gorm, with the reason: see doc.go.
var bypassesGorm = map[string]string{
	"selectSessionByHandle":   "runs at each request of a signed-in browser",
	"selectFirstPartySession": "runs at each request of a signed-in browser",
	"selectPasskeyByHandle":   "runs at each sign-in with a passkey, also at refused ones",
	"passkeyUseIf":            "runs at each sign-in with a passkey; returns a row",
	"storePasskeyState":       "runs at each sign-in with a passkey that counts",
	"selectSigningIn":         "runs at each sign-in",
	"selectProvingSession":    "runs at each sign-in with an unproven passkey in a browser with a session",
	"lockResumed":             "runs at each sign-in in a browser with a session; returns a row",
	"selectHandleOwner":       "runs at each sign-in in a browser with an ended session",
	"insertSession":           "runs at each sign-in in a browser without a session",
	"updateSession":           "runs at each sign-in in a browser with a session",
	"selectSignInMethods":     "runs at each page that asks a signed-in user for a new proof",
	"insertMergedEvent":       "runs at each sign-in that continues a session, and each refusal of a known user",
	"queueDelivery":           "runs at each event, if there is a webhook",
	"insertOneEvent":          "runs at each sign-in, and nearly each other act",
	"selectUserByEmail":       "runs at each sign-in with a password, also at refused ones",
	"touchLive":               "runs at each code and each first-party refresh; returns a row",
	"selectWithdrawn":         "runs at each code",
	"insertSpent":             "runs at each code",
	"insertGrant":             "runs at each code",
	"countSessions":           "runs at each sign-in",
	"selectFirstParty":        "runs at each first-party refresh",
	"buildRotateGrant":        "runs at each refresh; returns a row",
	"touchGrantSession":       "runs at each refresh",
	"buildSelectGrant":        "runs at each userinfo and introspection request",
	"grantDeath":              "clients repeat refused tokens: a refusal must not cost more than an answer",
	"sessionDeath":            "clients repeat refused tokens: a refusal must not cost more than an answer",
	"endOne":                  "runs for each ended session, up to hundreds in one transaction; returns a row",
	"deleteDeadGrants":        "the sweep shares the only writer with the requests",
	"deleteNotices":           "the sweep shares the only writer with the requests",
	"deleteSession":           "the sweep shares the only writer with the requests",
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
							t.Errorf("%s: %s bypasses gorm and is not in the list: see doc.go", name, owner)
						}
					case "ConnPool":
						t.Errorf("%s: %s uses the connection of gorm, which only engine.Statement may use", name, owner)
					}
					return true
				})
			}
		}
	}
	for owner := range bypassesGorm {
		if !found[owner] {
			t.Errorf("%s is in the list but does not bypass gorm", owner)
		}
	}
}

// declarations returns the functions and the variables of a declaration by their names.
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
