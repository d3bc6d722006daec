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

// sentinels returns the names of the errors that a package exports: variables that begin with
// Err, and types that end with Error.
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

// wrapped holds error types that wrap a sentinel of the table.
var wrapped = map[string]error{
	"storage.RevokedError":         &storage.RevokedError{},
	"storage.UnprovenError":        &storage.UnprovenError{},
	"storage.DeadLinkError":        &storage.DeadLinkError{},
	"storage.AddressReservedError": &storage.AddressReservedError{},
	"storage.RPIDError":            &storage.RPIDError{},
	"directory.UnknownMailError":   &directory.UnknownMailError{},
	"directory.ClientError":        &directory.ClientError{},
	"directory.ClientFieldError":   fmt.Errorf("%w", directory.ErrInvalidClient), // occurs only in a ClientError
}

// ofServer holds the sentinels that no command meets, with the reason.
var ofServer = map[string]string{
	"federation.ErrKeys":            "only a server verifies the JWTs of clients",
	"federation.ErrSignature":       "only a server verifies the JWTs of clients",
	"storage.ErrNotFresh":           "only the pages of an account ask for a fresh sign-in",
	"storage.FactorDueError":        "only a sign-in asks for a second factor",
	"storage.ErrTooManyPasskeys":    "only the pages of an account add passkeys",
	"storage.ErrLinkAndReset":       "only operators with limits meet it, and commands have none",
	"storage.ErrNoNotice":           "only operators with limits meet it, and commands have none",
	"directory.ErrAdminClient":      "only operators with limits meet it, and commands have none",
	"directory.ErrInvitationRights": "only operators with limits meet it, and commands have none",
	"directory.ErrAdministrator":    "only operators with limits meet it, and commands have none",
	"directory.ReservedFieldError":  "only operators with limits meet it, and commands have none",
	"directory.ErrNoPasskeys":       "the command names the setting",
	"storage.ErrAddressProofDue":    "only the pages of an account add factors",
}

// A new sentinel of one of these packages needs a row. Without one, a command would end with
// the 1 of an unknown failure.
func TestTable_HasARowForEverySentinel(t *testing.T) {
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
					t.Errorf("%s wraps no error that the table knows", name)
				}
				continue
			}
			if !named[name] && ofServer[name] == "" {
				t.Errorf("%s has no row in the table of exit codes", name)
			}
		}
	}
	if seen < 25 {
		t.Errorf("got only %d sentinels, want 25 or more", seen)
	}
	if found := exit.Classify(fmt.Errorf("read: %w", settingError{})); found.Code != exit.Config {
		t.Errorf("an error about the settings has code %d, want %d", found.Code, exit.Config)
	}
}

type settingError struct{}

func (settingError) Error() string  { return "a mistake" }
func (settingError) AboutSettings() {}

// Scripts rely on names and numbers.
func TestTable_NamesAndCodesAreUnique(t *testing.T) {
	names, codes := map[string]bool{}, map[exit.Code]bool{}
	for _, r := range exit.Rows() {
		if r.Name == "" || r.Meaning == "" || names[r.Name] || codes[r.Code] || r.Number < 1 || r.Number > 8 {
			t.Errorf("row %+v", r)
		}
		names[r.Name], codes[r.Code] = true, true
		if r.Code <= exit.Findings && int(r.Code) != r.Number {
			t.Errorf("%s: the code of a kind is %d, but its number is %d", r.Name, r.Code, r.Number)
		}
		if next := exit.Classify(exit.New(r.Code, errors.New("x"), "")).Next; next == "" {
			t.Errorf("%s has no next step", r.Name)
		}
	}
	for kind := exit.Failure; kind <= exit.Findings; kind++ {
		if !codes[exit.Code(kind)] {
			t.Errorf("the table has no row for number %d", kind)
		}
	}
	for code := exit.AddressUnproven; code <= exit.WeakPassword; code++ {
		if !codes[code] {
			t.Errorf("the table has no row for code %d", code)
		}
	}
}

// A command cannot give another number to a cause that the table knows. It may name a more
// exact cause.
func TestClassify_TableWinsOverKindOfCommand(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"a known cause":                      {fmt.Errorf("revoke: %w", storage.ErrLastAdmin), 6},
		"a command with another kind":        {exit.New(exit.Conflict, fmt.Errorf("ada: %w", storage.ErrLastAdmin), "x"), 6},
		"a command with a more exact cause":  {exit.New(exit.AlgorithmInUse, storage.ErrConflict, ""), 6},
		"a conflict":                         {storage.ErrConflict, 5},
		"an unknown cause of a command":      {exit.New(exit.NotFound, errors.New("no such thing"), "x"), 4},
		"an unknown cause":                   {errors.New("x"), 1},
		"an interruption":                    {fmt.Errorf("list: %w: %w", storage.ErrUnavailable, context.Canceled), 1},
		"a database that does not answer":    {fmt.Errorf("list: %w: %w", storage.ErrUnavailable, context.DeadlineExceeded), 7},
		"a full disk of the database":        {fmt.Errorf("write: %w: %w", storage.ErrUnavailable, syscall.ENOSPC), 7},
		"a full disk of the output":          {fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}), 1},
		"a pipe that nobody reads":           {fmt.Errorf("write: %w", syscall.EPIPE), 1},
		"keys that are too young":            {&keeper.NextKeyTooNewError{}, 5},
		"a rule and a database closed badly": {errors.Join(exit.New(exit.LastWayIn, errors.New("x"), "x"), errors.New("close")), 6},
		"an expired token":                   {fmt.Errorf("open: %w", storage.ErrExpired), 6},
	} {
		found := exit.Classify(c.err)
		if got := found.Code.Number(); got != c.want || found.Next == "" {
			t.Errorf("%s: got %d and %q, want %d", name, got, found.Next, c.want)
		}
	}
}

// docs/exit-codes.md is generated from the table; -update writes it.
func TestTable_DocumentIsUpToDate(t *testing.T) {
	const document = "../../../docs/exit-codes.md"
	got := generateDocument()
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
		t.Errorf("%s differs from the table; update it with: go test ./cmd/signet/exit -run DocumentIsUpToDate -update", document)
	}
}

func generateDocument() string {
	var b strings.Builder
	b.WriteString(`# Exit codes

This page lists the exit codes of all Signet commands. It is generated from the table in package ` + "`cmd/signet/exit`" + `. Scripts may rely
on the numbers and on the codes.

Number 0 means that the command succeeded. Number 2 is only for a malformed command line: an unknown flag, a value that does not parse, a
missing argument. If the command line is well-formed but a rule refuses it, the number is 6, and the first line on standard error is
` + "`signet: CODE: message`" + `. If the reader of a pipe closes it, the command ends by the signal SIGPIPE, like other programs.

| number | code | meaning |
|---|---|---|
`)
	for _, r := range exit.Rows() {
		fmt.Fprintf(&b, "| %d | `%s` | %s |\n", r.Number, r.Name, r.Meaning)
	}
	b.WriteString("\nAn `invalid_client` error has one line for each wrong field. The line contains `" + directory.NoEffect + "` if the value\n" +
		"would have no effect for this type of client.\n")
	return b.String()
}
