package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// namedInFile is a name of the code with a link to its file, as docs/architecture.md and
// docs/contributing.md write it: `name` in [file](../file).
var namedInFile = regexp.MustCompile("`([A-Za-z]+)`(?: in| of) \\[[^\\]]+\\]\\(\\.\\./([^)]+\\.go)\\)")

// TestDocuments_NamedCodeExists checks that each function, type or table in the pages for
// contributors is declared in the file to which the page links.
func TestDocuments_NamedCodeExists(t *testing.T) {
	for page, fewest := range map[string]int{"architecture.md": 30, "contributing.md": 3} {
		content, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		matches := namedInFile.FindAllStringSubmatch(string(content), -1)
		if len(matches) < fewest {
			t.Errorf("docs/%s: found %d names with a file, want at least %d", page, len(matches), fewest)
		}
		for _, match := range matches {
			name, file := match[1], match[2]
			source, err := os.ReadFile(filepath.Join("../..", file))
			if err != nil {
				t.Errorf("docs/%s names %s: %v", page, name, err)
				continue
			}
			if !declares(t, source, name) {
				t.Errorf("docs/%s says that %s is in %s, but the file does not declare it: correct the page", page, name, file)
			}
		}
	}
}

// declares reports whether the source declares the name as a function, method, type,
// variable or constant.
func declares(t *testing.T, source []byte, name string) bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			found = found || n.Name.Name == name
		case *ast.TypeSpec:
			found = found || n.Name.Name == name
		case *ast.ValueSpec:
			found = found || slices.ContainsFunc(n.Names, func(i *ast.Ident) bool { return i.Name == name })
		}
		return true
	})
	return found
}

// TestDocuments_ArchitectureListsEveryPackage checks that the table lists every package of the
// program, and only existing packages.
func TestDocuments_ArchitectureListsEveryPackage(t *testing.T) {
	content, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		if first, _, isRow := strings.Cut(strings.TrimPrefix(line, "| `"), " |"); isRow && strings.HasPrefix(line, "| `") {
			for name := range strings.SplitSeq(first, ", ") {
				listed[strings.Trim(name, "`")] = true
			}
		}
	}
	program := map[string]bool{}
	eachGoFile(t, "../..", func(name string, _ []byte) {
		folder := filepath.ToSlash(filepath.Dir(name))
		_, forTests := testPackages[folder]
		if !forTests && !strings.HasSuffix(name, "_test.go") && filepath.Base(name) != "doc.go" {
			program[folder] = true
		}
	})
	for folder := range program {
		if !listed[folder] {
			t.Errorf("docs/architecture.md does not list the package %s", folder)
		}
	}
	for name := range listed {
		if !program[name] {
			t.Errorf("docs/architecture.md lists %s, which is not a package of the program", name)
		}
	}
}
