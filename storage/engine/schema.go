package engine

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// Schema describes which migrations a database has.
type Schema struct {
	Newest  int64    // number of its last migration, which may be newer than this program; 0: none
	Pending []string // names of the missing migrations, in order
}

// ReadSchema reads which migrations a database has, and changes nothing. If there is no
// database, it reports that all migrations are pending.
//
// ErrProgramOutdated, together with the Schema: Open would refuse the database. *fs.PathError:
// this process may not use the files of a SQLite database.
func ReadSchema(ctx context.Context, c Config) (Schema, error) {
	var newest, oldest int64
	db, err := openForInspection(c)
	if err != nil {
		return Schema{}, fmt.Errorf("read schema: %w", err)
	}
	if db != nil {
		newest, oldest, err = schemaNumbers(ctx, db, c.Database != "")
		if err = errors.Join(err, db.Close()); err != nil {
			return Schema{}, callerError("read schema", err)
		}
	}
	return c.Migrations.schemaAt(newest, oldest)
}

// Inspect runs do on a database without changing it. If there is no database, or it has no
// migrations, Inspect does nothing.
func Inspect(ctx context.Context, c Config, do UseCase) error {
	db, err := openForInspection(c)
	if err != nil || db == nil {
		return callerError("inspect database", err)
	}
	defer db.Close()
	newest, _, err := schemaNumbers(ctx, db, c.Database != "")
	if err != nil || newest == 0 {
		return callerError("inspect database", err)
	}
	var dialect gorm.Dialector = sqlite.New(sqlite.Config{DriverName: sqliteDriver, Conn: db})
	if c.Database != "" {
		dialect = postgres.New(postgres.Config{Conn: db})
	}
	q, err := gorm.Open(dialect, gormConfig(cmp.Or(c.Log, slog.New(slog.DiscardHandler))))
	if err != nil {
		return callerError("inspect database", err)
	}
	return callerError("inspect database", do(q.WithContext(ctx)))
}

func (all Migrations) schemaAt(newest, oldest int64) (Schema, error) {
	known, err := all.list()
	if err != nil {
		return Schema{}, err
	}
	s := Schema{Newest: newest}
	for _, m := range known {
		if m.number > s.Newest {
			s.Pending = append(s.Pending, m.name)
		}
	}
	return s, checkProgram(oldest, known[len(known)-1].number)
}

// openForInspection opens the database without creating it. It returns nil if there is none.
func openForInspection(c Config) (*sql.DB, error) {
	if c.Database != "" {
		config, err := connectionConfig(c.Database)
		if err != nil {
			return nil, err
		}
		config.DefaultQueryExecMode = pgx.QueryExecModeExec // works behind a pooler too
		return sql.OpenDB(newPasswords(c, config)), nil
	}
	if found, err := findDatabase(c.DataDir); err != nil || !found {
		return nil, err
	}
	return sql.Open(sqliteDriver, readOnlyURI(DatabaseFile(c.DataDir)))
}

func schemaNumbers(ctx context.Context, db *sql.DB, postgres bool) (newest, oldest int64, err error) {
	count := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'`
	if postgres {
		count = `SELECT COUNT(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'migrations'`
	}
	var tables int
	if err := db.QueryRowContext(ctx, count).Scan(&tables); err != nil || tables == 0 {
		return 0, 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT (SELECT COALESCE(MAX(number), 0) FROM migrations), oldest_program FROM instance WHERE id = 1`).Scan(&newest, &oldest)
	return newest, oldest, err
}
