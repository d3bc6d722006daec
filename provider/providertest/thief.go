package providertest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"signet/storage"
)

// DumpTables returns the rows of each table as text, by table name.
func (b *Testbed) DumpTables(t *testing.T) map[string]string {
	t.Helper()
	all, db := map[string]string{}, b.steal(t)
	for _, name := range b.tables(t, db) {
		all[name] = fmt.Sprint(rowsOf(t, db, `SELECT * FROM `+name))
	}
	return all
}

// DumpDatabase returns all rows of the database as text. On SQLite it adds the bytes of the
// files, which may still contain deleted values.
func (b *Testbed) DumpDatabase(t *testing.T) string {
	t.Helper()
	var dump strings.Builder
	db := b.steal(t)
	for _, table := range b.tables(t, db) {
		for _, row := range rowsOf(t, db, `SELECT * FROM `+table) {
			for _, value := range row {
				dump.WriteString(value + "\n")
			}
		}
	}
	if b.Backend.Name == "sqlite" {
		for _, suffix := range []string{"", "-wal"} {
			raw, err := os.ReadFile(filepath.Join(b.Backend.Config().DataDir, "signet.db"+suffix))
			if err != nil {
				t.Fatal(err)
			}
			dump.Write(raw)
		}
	}
	return dump.String()
}

// steal opens a copy of the database, as a thief of a backup could.
func (b *Testbed) steal(t *testing.T) *sql.DB {
	t.Helper()
	config := b.Backend.Config()
	driver, source := "pgx", config.Database
	if source == "" {
		// The file is copied, since the locks of two SQLite libraries on one file conflict.
		driver, source = sqliteDriver(), filepath.Join(t.TempDir(), "signet.db")
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(filepath.Join(config.DataDir, "signet.db"+suffix))
			if err == nil {
				err = os.WriteFile(source+suffix, content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// sqliteDriver returns the program's own driver (cgo) if it is built in. The driver in Go is
// several times slower under the race detector.
func sqliteDriver() string {
	if slices.Contains(sql.Drivers(), "sqlite3") {
		return "sqlite3"
	}
	return "sqlite"
}

// tables lists the tables of the schema.
func (b *Testbed) tables(t *testing.T, db *sql.DB) []string {
	t.Helper()
	list := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if b.Backend.Name == "postgres" {
		list = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	}
	var names []string
	for _, row := range rowsOf(t, db, list) {
		for _, name := range row {
			names = append(names, name)
		}
	}
	if len(names) < 10 {
		t.Fatalf("tables: got %v, want at least 10", names)
	}
	return names
}

// Table reads all rows of a table, by column name, as text.
func (b *Testbed) Table(t *testing.T, name string) []map[string]string {
	t.Helper()
	return rowsOf(t, b.steal(t), `SELECT * FROM `+name)
}

func rowsOf(t *testing.T, db *sql.DB, query string) []map[string]string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, value := range values {
			if raw, ok := value.([]byte); ok {
				value = string(raw)
			}
			row[columns[i]] = fmt.Sprint(value)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// privateKey decrypts a sealed private key with the master key of the testbed.
func (b *Testbed) privateKey(t *testing.T, k storage.Key) []byte {
	t.Helper()
	master := [32]byte{1, 2, 3}
	salt, box := k.Sealed[1:25], k.Sealed[25:]
	key, err := hkdf.Key(sha256.New, master[:], salt, "signet/v1/key at rest", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, make([]byte, 12), box, fmt.Appendf([]byte{1}, "%s\x00%s", k.Line, k.ID))
	if err != nil {
		t.Fatalf("open key %s: %v", k.ID, err)
	}
	return plain
}
