package storage

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// Executed is a statement as it went to the driver.
type Executed struct {
	SQL  string
	Args []any
}

// Recorder keeps what a DB executes.
type Recorder struct {
	mu   sync.Mutex
	list []Executed
}

// Take gives what was executed since the last call.
func (r *Recorder) Take() []Executed {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (r *Recorder) add(text string, args []any) {
	switch word, _, _ := strings.Cut(strings.TrimSpace(text), " "); strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, Executed{text, args})
	}
}

// Record puts a recorder between gorm and the drivers' pools.
func (db *DB) Record(ctx context.Context) (*Recorder, error) {
	r := &Recorder{}
	switch e := db.engine.(type) {
	case *sqliteFile:
		e.read.Statement.ConnPool = recordingPool{e.read.Statement.ConnPool, r}
		return r, db.write(ctx, "record", func(*gorm.DB) error {
			e.tx.Statement.ConnPool = recordingPool{e.tx.Statement.ConnPool, r}
			return nil
		})
	case *postgresPool:
		e.db.Statement.ConnPool = recordingPool{e.db.Statement.ConnPool, r}
	}
	return r, nil
}

type recordingPool struct {
	gorm.ConnPool
	to *Recorder
}

func (p recordingPool) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	p.to.add(text, args)
	return p.ConnPool.ExecContext(ctx, text, args...)
}

func (p recordingPool) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.to.add(text, args)
	return p.ConnPool.QueryContext(ctx, text, args...)
}

func (p recordingPool) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	p.to.add(text, args)
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
