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

// pooler finds out whether a pooler such as PgBouncer stands between this program and
// PostgreSQL, and then has new connections go without prepared statements: in transaction
// mode each transaction may get another connection to the server, which knows none of the
// statements that were prepared on the one before.
//
// A pooler shows itself at the first connection. It gives its clients a key of its own to
// cancel by, so that the process that the key names is not the one that answers. Where a
// pooler gives the server's, the first statement that is missing, or there already, tells
// the same. The mode is the driver's cache_describe: the text of a statement travels each
// time, and its description once for each connection.
type pooler struct {
	log    *slog.Logger
	chosen bool // the URL says how statements are run: then nothing is looked for
	found  atomic.Bool
}

// modeParameter is the parameter of a database's URL that says how statements are run.
const modeParameter = "default_query_exec_mode"

func newPooler(database string, log *slog.Logger) *pooler {
	return &pooler{log: log, chosen: strings.Contains(database, modeParameter+"=")}
}

// beforeConnect chooses how the statements of a new connection are run.
func (p *pooler) beforeConnect(_ context.Context, c *pgx.ConnConfig) error {
	if p.found.Load() {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// afterConnect asks a new connection which process answers. The connection that finds the
// pooler is given up, and database/sql opens another one.
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
	p.use("another process answers than the one that the connection was made to")
	return driver.ErrBadConn
}

// use has the connections from now on go without prepared statements.
func (p *pooler) use(reason string) {
	if !p.found.Swap(true) {
		p.log.Info("a connection pooler was found: statements are not prepared", "reason", reason, "override", modeParameter)
	}
}

// lost reports whether an error says that a prepared statement is not where it should be,
// and that another attempt goes without any: nothing was done then.
func (p *pooler) lost(err error) bool {
	if p.chosen || !isLostStatement(err) {
		return false
	}
	p.use("a prepared statement was missing, or another's")
	return true
}

// isLostStatement reports that a prepared statement is unknown to the server, or known
// where it should not be.
func isLostStatement(err error) bool {
	var pg *pgconn.PgError
	if err == nil || !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "26000" || pg.Code == "42P05" // invalid_sql_statement_name, duplicate_prepared_statement
}
