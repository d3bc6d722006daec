package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// In the source, the key of each logged duration must end with _ms. Only cmd/signet/node may create
// log handlers, which write all other durations in milliseconds too.
func TestLogs_KeysOfDurationsNameTheUnit(t *testing.T) {
	calls, makers := 0, 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := calledName(call)
			if logs[name] {
				calls++
			}
			if name == "NewJSONHandler" || name == "NewTextHandler" {
				makers++
			}
			checkLogCall(t, path, name, call)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 40 || makers != 2 {
		t.Errorf("got %d log calls and %d handlers", calls, makers)
	}
}

// checkLogCall reports a log handler outside cmd/signet/node, and a duration whose key has no unit.
func checkLogCall(t *testing.T, path, name string, call *ast.CallExpr) {
	t.Helper()
	if (name == "NewJSONHandler" || name == "NewTextHandler") && filepath.ToSlash(path) != "../../cmd/signet/node/log.go" {
		t.Errorf("%s creates a log handler: use node.NewLog or NewTextLog", path)
	}
	for i := 0; logs[name] && i+1 < len(call.Args); i++ {
		key, ok := call.Args[i].(*ast.BasicLit)
		if ok && key.Kind == token.STRING && isDuration(call.Args[i+1]) && !strings.HasSuffix(key.Value, `_ms"`) {
			t.Errorf("%s: %s is a duration: log its milliseconds under a key that ends with _ms", path, key.Value)
		}
	}
	if f, ok := call.Fun.(*ast.SelectorExpr); ok && name == "Duration" {
		if on, ok := f.X.(*ast.Ident); ok && on.Name == "slog" {
			t.Errorf("%s: slog.Duration has no unit: log milliseconds under a key that ends with _ms", path)
		}
	}
}

// logs holds the functions that take keys and values of a log line.
var logs = map[string]bool{
	"Debug": true, "Info": true, "Warn": true, "Error": true, "Note": true,
	"String": true, "Int": true, "Int64": true, "Uint64": true, "Float64": true, "Any": true,
}

func calledName(call *ast.CallExpr) string {
	if f, ok := call.Fun.(*ast.SelectorExpr); ok {
		return f.Sel.Name
	}
	return ""
}

// isDuration reports whether the names in an expression mean a duration.
func isDuration(e ast.Expr) (is bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch calledName(n) {
			case "Sub", "Since", "Until", "Nanoseconds", "Microseconds", "Milliseconds", "Seconds", "Minutes", "Hours":
				is = true
			}
		case *ast.Ident:
			name := strings.ToLower(n.Name)
			for _, end := range []string{"duration", "timeout", "elapsed", "took", "drainfor", "interval", "skew", "lifetime", "patience"} {
				is = is || strings.HasSuffix(name, end)
			}
		}
		return !is
	})
	return is
}
