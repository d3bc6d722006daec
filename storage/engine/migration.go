package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"gorm.io/gorm"
)

// Migrations are the steps of a schema. They are numbered by their order in a folder, and new
// ones are only appended. A released file never changes.
type Migrations struct {
	Files fs.FS // NNNN_name.sql, beginning with 0001
	// Work holds the Go code of migrations by number, for changes that SQL cannot express. It
	// runs after the statements of the migration, in the same transaction.
	Work map[int64]func(tx *gorm.DB) error
}

// ErrProgramOutdated: the database needs a newer release of this program.
var ErrProgramOutdated = errors.New("this program is too old for the database")

// migration is one numbered step of the schema.
type migration struct {
	number int64
	name   string
	sql    string
	work   func(tx *gorm.DB) error // nil for most
}

// run applies the pending migrations in a transaction that its caller has made exclusive.
// ErrProgramOutdated: the database needs a newer release.
func (all Migrations) run(tx *gorm.DB) error {
	known, err := all.list()
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
		if err := m.apply(tx); err != nil {
			return fmt.Errorf("migration %04d: %w", m.number, err)
		}
	}
	var oldest int64
	if err := tx.Raw(`SELECT oldest_program FROM instance WHERE id = 1`).Scan(&oldest).Error; err != nil {
		return err
	}
	return checkProgram(oldest, known[len(known)-1].number)
}

func (all Migrations) list() ([]migration, error) {
	files, err := fs.Glob(all.Files, "*.sql")
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, file := range files {
		text, err := fs.ReadFile(all.Files, file)
		if err != nil {
			return nil, err
		}
		number := int64(i + 1)
		if !strings.HasPrefix(file, fmt.Sprintf("%04d_", number)) {
			return nil, fmt.Errorf("migration %s is out of order: number %04d is missing", file, number)
		}
		list = append(list, migration{number, file, string(text), all.Work[number]})
	}
	return list, nil
}

// appliedMigrations returns the number of the newest migration of the database, which may be one
// that this program does not know.
func appliedMigrations(tx *gorm.DB) (int64, error) {
	create := `CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL)`
	if err := tx.Exec(create).Error; err != nil {
		return 0, fmt.Errorf("create migrations: %w", err)
	}
	var newest int64
	err := tx.Raw(`SELECT COALESCE(MAX(number), 0) FROM migrations`).Scan(&newest).Error
	return newest, err
}

func (m migration) apply(tx *gorm.DB) error {
	if err := RunScript(tx, m.sql); err != nil {
		return err
	}
	if m.work != nil {
		if err := m.work(tx); err != nil {
			return err
		}
	}
	return tx.Exec(`INSERT INTO migrations (number, name) VALUES (?, ?)`, m.number, m.name).Error
}

// RunScript runs the statements of a script in the form of a migration.
func RunScript(tx *gorm.DB, script string) error {
	for _, statement := range statementsOf(script, dialectOf(tx)) {
		if err := tx.Exec(statement).Error; err != nil {
			return err
		}
	}
	return nil
}

// statementsOf splits a script at semicolons at the end of a line, because pgx sends one
// statement at a time. It drops comments that fill a line.
func statementsOf(script string, d dialect) []string {
	for token, spelling := range d {
		script = strings.ReplaceAll(script, token, spelling)
	}
	var list []string
	var statement strings.Builder
	for line := range strings.Lines(script) {
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

// checkProgram refuses a database that needs a newer program. The number of a program is that of
// the last migration that it knows.
func checkProgram(oldest, program int64) error {
	if oldest > program {
		return fmt.Errorf("%w: it knows migrations up to %04d, but the database needs a program that knows %04d; start a newer release", ErrProgramOutdated, program, oldest)
	}
	return nil
}
