//go:build !cgo

package engine

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// PureGo reports whether SQLite is the one written in Go, which needs no C compiler and is
// slower.
const PureGo = true

// The name "sqlite3" is taken by the stub of the C driver.
const sqliteDriver = "sqlite"

// SQLiteModule is the module that contains SQLite.
const SQLiteModule = "modernc.org/sqlite"

// SQLiteVersion returns the version of SQLite itself, like 3.54.1.
func SQLiteVersion() string { return lib.SQLITE_VERSION }

// sqliteCode returns the extended result code of an error of SQLite.
func sqliteCode(err error) (int, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// inTransaction reports whether the connection's transaction is still open. This driver has no
// function for that. But a BEGIN inside a transaction is an error that changes nothing. Outside
// of one, BEGIN opens a transaction, which is rolled back here.
func inTransaction(conn *sql.Conn) bool {
	if _, err := conn.ExecContext(context.Background(), "BEGIN"); err != nil {
		return true
	}
	_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
	return false
}
