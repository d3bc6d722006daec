package storage

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// Executed is a statement as the driver received it.
type Executed struct {
	SQL  string
	Args []any
}

// Recorder stores the statements that a DB executes, and can let a statement fail.
type Recorder struct {
	mu   sync.Mutex
	list []Executed

	left   int // statements until one fails; 0: no statement fails
	broken error
}

// BreakAt lets the n-th statement from now on fail, once. BreakAt(0, nil) lets no statement
// fail. BreakAt reports whether an earlier fault had not happened yet.
func (r *Recorder) BreakAt(n int, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.left > 0
	r.left, r.broken = n, err
	return due
}

// Take returns the statements since the last call.
func (r *Recorder) Take() []Executed {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (r *Recorder) add(text string, args []any) error {
	switch word, _, _ := strings.Cut(strings.TrimSpace(text), " "); strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
	default:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, Executed{text, args})
	if r.left > 0 {
		if r.left--; r.left == 0 {
			return r.broken
		}
	}
	return nil
}

// Record puts a recorder between gorm and the connection pools of the drivers.
func (db *DB) Record(ctx context.Context) (*Recorder, error) {
	r := &Recorder{}
	return r, db.engine.WrapConnections(ctx, func(pool gorm.ConnPool) gorm.ConnPool { return recordOn(pool, r) })
}

// recordOn wraps a pool with a recorder, and replaces an earlier recorder.
func recordOn(pool gorm.ConnPool, r *Recorder) gorm.ConnPool {
	if before, ok := pool.(recordingPool); ok {
		pool = before.ConnPool
	}
	return recordingPool{pool, r}
}

type recordingPool struct {
	gorm.ConnPool
	to *Recorder
}

func (p recordingPool) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if err := p.to.add(text, args); err != nil {
		return nil, err
	}
	return p.ConnPool.ExecContext(ctx, text, args...)
}

func (p recordingPool) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := p.to.add(text, args); err != nil {
		return nil, err
	}
	return p.ConnPool.QueryContext(ctx, text, args...)
}

func (p recordingPool) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	_ = p.to.add(text, args) // no use case reads a single row this way
	return p.ConnPool.QueryRowContext(ctx, text, args...)
}

func (p recordingPool) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := p.ConnPool.(gorm.TxBeginner).BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return &recordingTx{recordingPool{tx, p.to}, tx}, nil
}

type recordingTx struct {
	recordingPool
	gorm.TxCommitter
}
