package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pooler detects a connection pooler such as PgBouncer between this program and PostgreSQL.
// After that, new connections use no prepared statements. In transaction mode, each transaction
// may run on another connection to the server, which does not know the statements that were
// prepared on the earlier one.
//
// A pooler usually is detected at the first connection. It gives its clients its own key for
// canceling, so the process ID in that key differs from the process that answers. If a pooler
// passes on the server's key, it is detected when a prepared statement is missing or already
// exists. Without prepared statements, the driver runs in the mode cache_describe: it sends the
// text of a statement each time, and asks for its description once per connection.
type pooler struct {
	log    *slog.Logger
	chosen bool // the URL chooses the mode, so nothing is detected
	found  atomic.Bool
}

// modeParameter is the URL parameter that chooses how statements run.
const modeParameter = "default_query_exec_mode"

func newPooler(database string, log *slog.Logger) *pooler {
	return &pooler{log: log, chosen: strings.Contains(database, modeParameter+"=")}
}

// beforeConnect chooses how the statements of a new connection run.
func (p *pooler) beforeConnect(_ context.Context, c *pgx.ConnConfig) error {
	if p.found.Load() {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// afterConnect asks a new connection for the process that answers. If a pooler is detected, this
// connection is closed, and database/sql opens another one.
func (p *pooler) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	if p.chosen || p.found.Load() {
		return nil
	}
	var answers uint32
	err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&answers)
	if err == nil && answers == conn.PgConn().PID() {
		return nil
	}
	_ = conn.Close(ctx)
	if err != nil {
		return err
	}
	p.disablePrepared("the process that answers is not the one in the connection's cancel key")
	return driver.ErrBadConn
}

// disablePrepared makes new connections use no prepared statements.
func (p *pooler) disablePrepared(reason string) {
	if !p.found.Swap(true) {
		p.log.Info("connection pooler detected: prepared statements are turned off", "reason", reason, "override", modeParameter)
	}
}

// retriesUnprepared reports whether a prepared statement was missing or already existed. Then
// nothing was done, and the next attempt uses no prepared statements.
func (p *pooler) retriesUnprepared(err error) bool {
	if p.chosen || !isPreparedStatementError(err) {
		return false
	}
	p.disablePrepared("a prepared statement was missing or already existed")
	return true
}

// isPreparedStatementError reports whether a prepared statement is unknown to the server, or
// exists already.
func isPreparedStatementError(err error) bool {
	var pg *pgconn.PgError
	if err == nil || !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "26000" || pg.Code == "42P05" // invalid_sql_statement_name, duplicate_prepared_statement
}
