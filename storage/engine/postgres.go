package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// The limits for PostgreSQL. A use case has five seconds for all its attempts, as on a busy
// SQLite file.
const (
	pgConnections = 20
	pgPatience    = 5 * time.Second
	pgAttempts    = 5
	pgMigration   = 5 * time.Minute
)

// migrationLock is the advisory lock of processes that migrate ("signet" in ASCII).
const migrationLock = 0x7369676e6574

// postgresPool is a PostgreSQL database. Each use case is one transaction.
type postgresPool struct {
	pool     *sql.DB
	db       *gorm.DB
	patience time.Duration // time for a write, in all its attempts
	pooler   *pooler
}

func openPostgres(ctx context.Context, c Config) (*postgresPool, error) {
	config, err := connectionConfig(c.Database)
	if err != nil {
		return nil, err
	}
	if len(config.Fallbacks) > 0 && config.ValidateConnect == nil {
		// If there are several hosts, only the primary can be used, and it may change.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	p := &postgresPool{patience: pgPatience, pooler: newPooler(c.Database, c.Log)}
	p.pool = sql.OpenDB(newPasswords(c, config, stdlib.OptionBeforeConnect(p.pooler.beforeConnect), stdlib.OptionAfterConnect(p.pooler.afterConnect)))
	p.pool.SetMaxOpenConns(pgConnections)
	p.pool.SetMaxIdleConns(pgConnections)
	p.pool.SetConnMaxIdleTime(5 * time.Minute)
	p.pool.SetConnMaxLifetime(30 * time.Minute)
	if p.db, err = gorm.Open(postgres.New(postgres.Config{Conn: p.pool}), gormConfig(c.Log)); err != nil {
		_ = p.pool.Close()
		return nil, callerError("open", err)
	}
	if err := p.migrate(ctx, c.Migrations); err != nil {
		_ = p.pool.Close()
		return nil, err
	}
	return p, nil
}

// migrate runs the migrations under an advisory lock that ends with its transaction. A process
// that dies meanwhile leaves neither the lock nor half a schema.
func (p *postgresPool) migrate(ctx context.Context, m Migrations) error {
	ctx, cancel := context.WithTimeout(ctx, pgMigration)
	defer cancel()
	_, err := p.transaction(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec(`SELECT pg_advisory_xact_lock(?)`, int64(migrationLock)).Error; err != nil {
			return err
		}
		return m.run(tx)
	})
	return callerError("migrate", err)
}

// write runs a use case in a transaction at READ COMMITTED. It runs the use case again if the
// transaction is known not to have committed and another attempt may succeed. Nothing else in
// this program retries. After it has begun, canceling the caller's context no longer stops it.
func (p *postgresPool) write(ctx context.Context, run UseCase) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.patience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		unknown, err := p.transaction(bounded, run)
		switch {
		case err == nil, isCommitted(err):
			return err
		case unknown:
			return asUnavailable(err)
		case attempt == pgAttempts || !p.retriesUnprepared(err) && !isTransient(err):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt*attempt) * 10 * time.Millisecond):
		}
	}
}

// transaction runs one attempt. unknown means that COMMIT was sent and its result is unknown.
func (p *postgresPool) transaction(ctx context.Context, run UseCase) (unknown bool, err error) {
	tx := p.db.WithContext(ctx).Begin(&sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if tx.Error != nil {
		return false, tx.Error
	}
	finished := false
	defer func() {
		if !finished { // the use case panicked
			tx.Rollback()
		}
	}()
	err = run(tx)
	finished = true
	if err != nil && !isCommitted(err) {
		tx.Rollback()
		return false, err
	}
	if err := tx.Commit().Error; err != nil {
		return !refusedCommit(err), fmt.Errorf("commit: %w", err)
	}
	return false, err
}

// refusedCommit reports whether a failed COMMIT is known to have done nothing: it was never
// sent, or the server refused it. An error of a server that is shutting down does not count,
// because it may have committed.
func refusedCommit(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return len(refused.Code) == 5 && (refused.Code[:2] == "40" || refused.Code[:2] == "23")
	}
	return pgconn.SafeToRetry(err)
}

// isTransient reports whether another attempt may succeed at once, because two transactions
// collided or the connection broke, as in a fail-over.
func isTransient(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return isConnectionLoss(err) && !errors.Is(err, context.DeadlineExceeded)
	}
	switch pg.Code {
	case "25006", // read-only: the primary was demoted
		"57P01", "57P02", "57P03": // shutting down, crashed, starting up
		return true
	}
	return len(pg.Code) == 5 && (pg.Code[:2] == "40" || pg.Code[:2] == "08")
}

// retriesUnprepared reports whether another attempt may succeed without prepared statements.
// Connections with prepared statements are closed when they are returned to the pool.
func (p *postgresPool) retriesUnprepared(err error) bool {
	if !p.pooler.retriesUnprepared(err) {
		return false
	}
	p.pool.SetMaxIdleConns(0)
	p.pool.SetMaxIdleConns(pgConnections)
	return true
}

func (p *postgresPool) reader(ctx context.Context) *gorm.DB { return p.db.WithContext(ctx) }

func (p *postgresPool) close() error { return p.pool.Close() }
