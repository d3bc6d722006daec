//go:build cgo

package engine

import (
	"database/sql"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// PureGo reports that SQLite runs without a C compiler's help, and slower.
const PureGo = false

const sqliteDriver = "sqlite3"

// sqliteCode gives the extended result code of an error of SQLite.
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

// inTransaction reports whether the connection's transaction is still open: an
// error in mid-statement can roll it back behind our back, and a COMMIT after
// that may still say that all is well.
func inTransaction(conn *sql.Conn) bool {
	open := false
	err := conn.Raw(func(c any) error {
		open = !c.(*sqlite3.SQLiteConn).AutoCommit()
		return nil
	})
	return err == nil && open
}
