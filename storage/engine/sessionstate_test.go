package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sessionState lists the SQL that leaves something in the session of PostgreSQL, with an example.
// Our keywords are in capitals, which tells them from the words of messages.
// Behind a pooler in transaction mode, the next transaction may run in another session, and
// another client gets what was left.
var sessionState = map[string]struct {
	pattern *regexp.Regexp
	example string
}{
	"advisory lock of a session": {regexp.MustCompile(`(?i)\bpg_(try_)?advisory_(unlock\w*|lock(_shared)?)\s*\(`), `SELECT pg_advisory_lock(1)`},
	"notification":               {regexp.MustCompile(`^\s*(LISTEN|UNLISTEN|NOTIFY)\s+\w|\bpg_notify\s*\(`), `LISTEN changes`},
	"parameter of a session":     {regexp.MustCompile(`^\s*(SET\s+(SESSION\s+)?\w+\s*(=|TO)|RESET\s|DISCARD\s)|\bset_config\s*\([^)]*false`), `SET statement_timeout = 5000`},
	"temporary table":            {regexp.MustCompile(`(?i)\bCREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP(ORARY)?\s`), `CREATE TEMP TABLE portion (id TEXT)`},
	"prepared statement":         {regexp.MustCompile(`^\s*(PREPARE|EXECUTE|DEALLOCATE)\s+\w`), `PREPARE rotate AS SELECT 1`},
	"cursor beyond transactions": {regexp.MustCompile(`(?i)\bCURSOR\s+WITH\s+HOLD\b`), `DECLARE walk CURSOR WITH HOLD FOR SELECT 1`},
	"last value of a sequence":   {regexp.MustCompile(`(?i)\b(lastval|currval)\s*\(`), `SELECT currval('ids')`},
}

// sqlTexts returns the string constants of the program's packages with SQL, and the statements of
// the migrations, by place.
func sqlTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, folder := range []string{".", ".."} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "sqlite") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if literal, is := n.(*ast.BasicLit); is && literal.Kind == token.STRING {
					if text, err := strconv.Unquote(literal.Value); err == nil {
						texts[set.Position(literal.Pos()).String()] = text
					}
				}
				return true
			})
		}
	}
	migrations, err := filepath.Glob("../migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range migrations {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, statement := range strings.Split(string(content), ";") {
			texts[file+" statement "+strconv.Itoa(i+1)] = statement
		}
	}
	return texts
}

// No statement leaves anything in the session, so PgBouncer in transaction mode needs no setting.
// Statements that the driver prepares by itself are the subject of the other tests of poolers.
func TestPostgres_NoStatementNeedsASession(t *testing.T) {
	texts := sqlTexts(t)
	updates := 0
	for _, text := range texts {
		if strings.Contains(text, "UPDATE ") || strings.Contains(text, "INSERT INTO ") {
			updates++
		}
	}
	if updates < 50 {
		t.Fatalf("only %d statements that write were found: the search is wrong", updates)
	}
	for name, state := range sessionState {
		if !state.pattern.MatchString(state.example) {
			t.Errorf("%s: the pattern does not find %q", name, state.example)
		}
		for place, text := range texts {
			if state.pattern.MatchString(text) {
				t.Errorf("%s: %s in %q", place, name, text)
			}
		}
	}
}
