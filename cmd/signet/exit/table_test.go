package exit_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/provider/keys/keeper"
	"signet/storage"
)

var update = flag.Bool("update", false, "write docs/exit-codes.md")

// packageOf parses a folder of Go files without its tests.
func packageOf(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// sentinels names what a package exports as an error: variables that begin with Err, and
// types that end with Error.
func sentinels(files []*ast.File) []string {
	var names []string
	for _, file := range files {
		for _, decl := range file.Decls {
			group, is := decl.(*ast.GenDecl)
			if !is {
				continue
			}
			for _, spec := range group.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if group.Tok == token.VAR && name.IsExported() && strings.HasPrefix(name.Name, "Err") {
							names = append(names, name.Name)
						}
					}
				case *ast.TypeSpec:
					if spec.Name.IsExported() && strings.HasSuffix(spec.Name.Name, "Error") {
						names = append(names, spec.Name.Name)
					}
				}
			}
		}
	}
	return names
}

// wrapped are types that wrap a sentinel of the table.
var wrapped = map[string]error{
	"storage.RevokedError":       &storage.RevokedError{},
	"storage.UnprovenError":      &storage.UnprovenError{},
	"directory.ClientError":      &directory.ClientError{},
	"directory.ClientFieldError": fmt.Errorf("%w", directory.ErrInvalidClient), // comes in a ClientError alone
}

// TestTable_HoldsEveryErrorThatACommandCanMeet: a new sentinel of one of these packages
// needs a row, or it would end a command with the 1 of an unknown failure.
func TestTable_HoldsEveryErrorThatACommandCanMeet(t *testing.T) {
	named := map[string]bool{}
	for _, file := range packageOf(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, is := n.(*ast.SelectorExpr); is {
				if pkg, is := s.X.(*ast.Ident); is {
					named[pkg.Name+"."+s.Sel.Name] = true
				}
			}
			return true
		})
	}
	seen := 0
	for _, folder := range []string{
		"storage", "federation", "federation/foreign", "provider/directory", "provider/credential",
		"provider/keys", "provider/keys/keeper", "provider/keys/vault", "provider/keys/pkcs11",
	} {
		for _, name := range sentinels(packageOf(t, "../../../"+folder)) {
			seen++
			name = path.Base(folder) + "." + name
			if err, is := wrapped[name]; is {
				if code := exit.Classify(err).Code; code == exit.Failure {
					t.Errorf("%s wraps nothing that the table knows", name)
				}
				continue
			}
			if !named[name] {
				t.Errorf("%s has no row in the table of exit codes", name)
			}
		}
	}
	if seen < 25 {
		t.Errorf("only %d sentinels were found", seen)
	}
	if said := exit.Classify(fmt.Errorf("read: %w", aboutSettings{})); said.Code != exit.Config {
		t.Errorf("an error about the settings ends with %d", said.Code)
	}
}

type aboutSettings struct{}

func (aboutSettings) Error() string  { return "a mistake" }
func (aboutSettings) AboutSettings() {}

// TestTable_NamesAndNumbersAreOneToOne: scripts rely on both.
func TestTable_NamesAndNumbersAreOneToOne(t *testing.T) {
	names, codes := map[string]bool{}, map[exit.Code]bool{}
	for _, r := range exit.Rows() {
		if r.Name == "" || r.Meaning == "" || names[r.Name] || codes[r.Code] || r.Number < 1 || r.Number > 8 {
			t.Errorf("row %+v", r)
		}
		names[r.Name], codes[r.Code] = true, true
		if r.Code <= exit.Findings && int(r.Code) != r.Number {
			t.Errorf("%s: the code of a kind has the number %d", r.Name, r.Number)
		}
		if next := exit.Classify(exit.New(r.Code, errors.New("x"), "")).Next; next == "" {
			t.Errorf("%s has no next step", r.Name)
		}
	}
	for kind := exit.Failure; kind <= exit.Findings; kind++ {
		if !codes[exit.Code(kind)] {
			t.Errorf("number %d has no row of its own", kind)
		}
	}
	for code := exit.AddressUnproven; code <= exit.WeakPassword; code++ {
		if !codes[code] {
			t.Errorf("code %d is in no row", code)
		}
	}
}

// TestOf_TheTableDecides: a command cannot give another number to a cause that the table
// knows, but it may know the cause better.
func TestOf_TheTableDecides(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"a known cause":                       {fmt.Errorf("revoke: %w", storage.ErrLastAdmin), 6},
		"a command that says otherwise":       {exit.New(exit.Conflict, fmt.Errorf("ada: %w", storage.ErrLastAdmin), "x"), 6},
		"a command that knows better":         {exit.New(exit.AlgorithmInUse, storage.ErrConflict, ""), 6},
		"a conflict":                          {storage.ErrConflict, 5},
		"an unknown cause of a command":       {exit.New(exit.NotFound, errors.New("no such thing"), "x"), 4},
		"an unknown cause":                    {errors.New("x"), 1},
		"an interruption":                     {fmt.Errorf("list: %w: %w", storage.ErrUnavailable, context.Canceled), 1},
		"a database that does not answer":     {fmt.Errorf("list: %w: %w", storage.ErrUnavailable, context.DeadlineExceeded), 7},
		"a full disk of the database":         {fmt.Errorf("write: %w: %w", storage.ErrUnavailable, syscall.ENOSPC), 7},
		"a full disk below the output":        {fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}), 1},
		"a pipe that nobody reads":            {fmt.Errorf("write: %w", syscall.EPIPE), 1},
		"keys that are too young":             {&keeper.NotRipeError{}, 5},
		"a rule and a database closed badly":  {errors.Join(exit.New(exit.LastWayIn, errors.New("x"), "x"), errors.New("close")), 6},
		"a token of a kind that is not known": {fmt.Errorf("open: %w", storage.ErrExpired), 6},
	} {
		found := exit.Classify(c.err)
		if got := found.Code.Number(); got != c.want || found.Next == "" {
			t.Errorf("%s: got %d and %q, want %d", name, got, found.Next, c.want)
		}
	}
}

// TestTable_DocumentTellsIt holds docs/exit-codes.md against the table, which it is made of.
func TestTable_DocumentTellsIt(t *testing.T) {
	const document = "../../../docs/exit-codes.md"
	got := theDocument()
	if *update {
		if err := os.WriteFile(document, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not the table any more: go test ./cmd/signet/exit -run DocumentTellsIt -update", document)
	}
}

func theDocument() string {
	var b strings.Builder
	b.WriteString(`# Exit codes

What a command of Signet ends with, made of the table that decides it (package ` + "`cmd/signet/exit`" + `). Scripts may rely on the numbers
and on the codes.

The number is 2 only where the command line itself is malformed: an unknown flag, a value that does not parse, a missing argument. As
soon as a rule had to be asked, the number is 6, and the first line on standard error is ` + "`signet: CODE: what is wrong`" + `. With 0 the
command did what it was asked for. A command whose reader closes the pipe ends by the signal SIGPIPE, as other programs do.

| number | code | meaning |
|---|---|---|
`)
	for _, r := range exit.Rows() {
		fmt.Fprintf(&b, "| %d | `%s` | %s |\n", r.Number, r.Name, r.Meaning)
	}
	b.WriteString("\nOf `invalid_client` each field that is wrong has a line of its own. A field that nothing reads yet is refused with `" +
		directory.NotSupportedYet + "` in that line, and a value that would do nothing for\nsuch a client with `" + directory.NoEffect + "`.\n")
	return b.String()
}
