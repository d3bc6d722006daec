//go:build !cgo

package engine

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
)

// PureGo reports that SQLite runs without a C compiler's help, and slower.
const PureGo = true

// The stub of the C driver holds the name "sqlite3" here.
const sqliteDriver = "sqlite"

// sqliteCode gives the extended result code of an error of SQLite.
func sqliteCode(err error) (int, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// inTransaction reports whether the connection's transaction is still open. This
// driver does not tell, but a BEGIN inside a transaction is an error that changes
// nothing; outside of one it opens one, which is undone here.
func inTransaction(conn *sql.Conn) bool {
	if _, err := conn.ExecContext(context.Background(), "BEGIN"); err != nil {
		return true
	}
	_, _ = conn.ExecContext(context.Background(), "ROLLBACK")
	return false
}
