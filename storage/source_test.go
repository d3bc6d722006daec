package storage_test

import (
	"errors"
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

func TestSource_UsesNothingThatMisleads(t *testing.T) {
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
