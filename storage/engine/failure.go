package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
)

// ErrUnavailable: the database is unreachable, full or locked for too long. Either nothing was
// done, or the outcome is unknown. Answer 503, never "invalid".
var ErrUnavailable = errors.New("database unavailable")

// isVerdict reports whether a use case ended with an answer, not with a failure. Its writes are
// undone; the other use cases of the batch and the connection are not affected.
func isVerdict(err error) bool {
	var v *verdict
	return errors.As(err, &v) || errors.Is(err, gorm.ErrRecordNotFound) || isConstraint(err)
}

// callerError turns the error of a use case or a read into the error for the caller. Verdicts
// stay. A missing row becomes ErrNotFound, a unique value that is taken becomes ErrConflict, and
// a database that is unreachable, full or locked becomes ErrUnavailable.
func callerError(name string, err error) error {
	if err == nil {
		return nil
	}
	var kept *committed // declared here because it escapes to the heap
	switch {
	case errors.Is(err, ErrUnavailable): // first, because a COMMIT may fail with any error
		return fmt.Errorf("%s: %w", name, err)
	case errors.As(err, &kept):
		return fmt.Errorf("%s: %w", name, kept.cause)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	case IsUnique(err):
		return fmt.Errorf("%s: %w", name, ErrConflict)
	case isRefusedLogin(err):
		return fmt.Errorf("%s: %w: %w: %w", name, ErrUnavailable, ErrLoginRefused, err)
	case isMissingDatabase(err):
		return fmt.Errorf("%s: %w: %w: %w", name, ErrUnavailable, ErrNoDatabase, err)
	case !isUnavailable(err):
		return fmt.Errorf("%s: %w", name, err)
	default:
		return fmt.Errorf("%s: %w: %w", name, ErrUnavailable, err)
	}
}

// asUnavailable marks an error of BEGIN, COMMIT or the lock. For any such error, the use case
// has no known outcome.
func asUnavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// isUnavailable reports whether the error of a driver means that the database is unreachable,
// full or locked. No other function decides this.
func isUnavailable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return isUnavailableSQLState(pg.Code)
	}
	if code, ok := sqliteCode(err); ok {
		return isUnavailableSQLite(code)
	}
	return isConnectionLoss(err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) ||
		errors.Is(err, context.DeadlineExceeded)
}

// isConnectionLoss reports whether the connection broke or could not be made.
func isConnectionLoss(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isUnavailableSQLState reports whether an error code of PostgreSQL means the same.
func isUnavailableSQLState(code string) bool {
	switch code {
	case "25006", // read-only: a standby, or a demoted primary
		"26000", "42P05", // prepared statement unknown or duplicate, behind a pooler in transaction mode
		"55P03", // lock not available
		"57014": // canceled, by statement_timeout or an operator
		return true
	}
	switch code[:min(2, len(code))] {
	case "08", // connection
		"40", // serialization failure, deadlock: after the last retry
		"53", // disk full, out of memory, too many connections
		"57", // shutting down, starting up
		"58", // system error
		"XX": // internal error, corrupted data
		return true
	}
	return false
}

// Primary result codes of SQLite (sqlite.org/rescode.html).
const (
	sqlitePerm       = 3
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteConstraint = 19
	sqliteNotADB     = 26

	sqliteConstraintPrimaryKey = 1555
	sqliteConstraintUnique     = 2067
)

func isUnavailableSQLite(code int) bool {
	switch code & 0xff {
	case sqlitePerm, sqliteBusy, sqliteLocked, sqliteNoMem, sqliteReadOnly, sqliteInterrupt,
		sqliteIOErr, sqliteCorrupt, sqliteFull, sqliteCantOpen, sqliteProtocol, sqliteNotADB:
		return true
	}
	return false
}

// isConstraint reports whether a constraint of the schema refused a row.
func isConstraint(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return len(pg.Code) == 5 && pg.Code[:2] == "23"
	}
	code, ok := sqliteCode(err)
	return ok && code&0xff == sqliteConstraint
}

// IsUnique reports whether a unique value is taken.
func IsUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	code, ok := sqliteCode(err)
	return ok && (code == sqliteConstraintPrimaryKey || code == sqliteConstraintUnique)
}
