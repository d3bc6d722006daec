package engine

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"gorm.io/gorm"
)

// Migrations are numbered by their place in this folder and only ever appended:
// a file that was released never changes.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migration is one numbered step of the schema.
type migration struct {
	number int64
	name   string
	sql    string
}

// migrationWork is what a migration does that SQL cannot say, after its statements and in
// the same transaction.
var migrationWork = map[int64]func(tx *gorm.DB) error{7: foldUsernames}

// dialect is what the two databases spell differently in a migration.
type dialect map[string]string

var (
	sqliteDialect = dialect{
		"{{text}}": "TEXT", "{{bytes}}": "BLOB", "{{clustered}}": "WITHOUT ROWID",
	}
	// The collation "C" compares bytes, as SQLite does: what is unique and what
	// comes first is the same on both.
	postgresDialect = dialect{
		"{{text}}": `TEXT COLLATE "C"`, "{{bytes}}": "BYTEA", "{{clustered}}": "",
	}
)

// migrate brings the schema up to date inside a transaction that its caller has
// made exclusive. ErrOutdated: the database needs a newer program.
func migrate(tx *gorm.DB, d dialect) error {
	known, err := migrationList()
	if err != nil {
		return err
	}
	done, err := appliedMigrations(tx)
	if err != nil {
		return err
	}
	for _, m := range known {
		if m.number <= done {
			continue
		}
		if err := m.apply(tx, d); err != nil {
			return fmt.Errorf("migration %04d: %w", m.number, err)
		}
	}
	var oldest int64
	if err := tx.Raw(`SELECT oldest_program FROM instance WHERE id = 1`).Scan(&oldest).Error; err != nil {
		return err
	}
	return checkProgram(oldest, known[len(known)-1].number)
}

func migrationList() ([]migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(file, "migrations/")
		number := int64(i + 1)
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", number)) {
			return nil, fmt.Errorf("migration %s is out of order: number %04d is missing", name, number)
		}
		list = append(list, migration{number, name, string(text)})
	}
	return list, nil
}

// appliedMigrations gives the number of the newest migration the database has
// seen, which may be one that this program does not know.
func appliedMigrations(tx *gorm.DB) (int64, error) {
	create := `CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL)`
	if err := tx.Exec(create).Error; err != nil {
		return 0, fmt.Errorf("create migrations: %w", err)
	}
	var newest int64
	err := tx.Raw(`SELECT COALESCE(MAX(number), 0) FROM migrations`).Scan(&newest).Error
	return newest, err
}

func (m migration) apply(tx *gorm.DB, d dialect) error {
	for _, statement := range m.statements(d) {
		if err := tx.Exec(statement).Error; err != nil {
			return err
		}
	}
	if work := migrationWork[m.number]; work != nil {
		if err := work(tx); err != nil {
			return err
		}
	}
	return tx.Exec(`INSERT INTO migrations (number, name) VALUES (?, ?)`, m.number, m.name).Error
}

// statements splits a migration at the semicolons that end a line: pgx sends one
// statement at a time. Whole-line comments are dropped.
func (m migration) statements(d dialect) []string {
	text := m.sql
	for token, spelling := range d {
		text = strings.ReplaceAll(text, token, spelling)
	}
	var list []string
	var statement strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "--") {
			continue
		}
		statement.WriteString(line)
		if strings.HasSuffix(trimmed, ";") {
			list = append(list, strings.TrimSuffix(strings.TrimSpace(statement.String()), ";"))
			statement.Reset()
		}
	}
	return list
}
