//go:build cgo

package engine

import (
	"database/sql"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// PureGo reports whether SQLite is the one written in Go, which needs no C compiler and is
// slower.
const PureGo = false

const sqliteDriver = "sqlite3"

// SQLiteModule is the module that contains SQLite.
const SQLiteModule = "github.com/mattn/go-sqlite3"

// SQLiteVersion returns the version of SQLite itself, like 3.54.1.
func SQLiteVersion() string {
	version, _, _ := sqlite3.Version()
	return version
}

// sqliteCode returns the extended result code of an error of SQLite.
func sqliteCode(err error) (int, bool) {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	if e.ExtendedCode == 0 {
		return int(e.Code), true
	}
	return int(e.ExtendedCode), true
}

// inTransaction reports whether the connection's transaction is still open. An error in a
// statement can roll it back without notice, and a later COMMIT may still report success.
func inTransaction(conn *sql.Conn) bool {
	open := false
	err := conn.Raw(func(c any) error {
		open = !c.(*sqlite3.SQLiteConn).AutoCommit()
		return nil
	})
	return err == nil && open
}
