package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// The limits of a write batch. No use case waits for others: a batch consists of the use cases
// that arrived while the previous batch was committed.
const (
	batchSize     = 64
	batchWork     = 5 * time.Millisecond
	queueCapacity = 1024
)

var errClosed = fmt.Errorf("database is closed: %w", ErrUnavailable)

// job is a use case that waits for its commit.
type job struct {
	run   UseCase
	state atomic.Int32 // jobWaiting, then jobTaken or jobLeft
	done  chan struct{}

	// Set before done is closed.
	err      error
	panicked any
}

const (
	jobWaiting = iota
	jobTaken
	jobLeft
)

func (j *job) take() bool  { return j.state.CompareAndSwap(jobWaiting, jobTaken) }
func (j *job) leave() bool { return j.state.CompareAndSwap(jobWaiting, jobLeft) }

// attempt runs the use case and turns a panic into an error.
func (j *job) attempt(tx *gorm.DB) (err error) {
	defer func() {
		if v := recover(); v != nil {
			j.panicked = v
			err = errPanicked
		}
	}()
	j.panicked = nil
	return j.run(tx)
}

var errPanicked = errors.New("use case panicked")

// writer is the only writer of a SQLite file in this process. It commits the waiting use cases
// in one transaction, each in its own savepoint, and answers them after the commit. So writes
// are both durable and fast.
//
// Savepoints are raw statements on the batch's own connection and context. The context of a
// caller can only remove its use case from the queue. If it ended during a statement, it would
// roll back the whole batch.
type writer struct {
	open  connect
	lock  *fileLock
	queue chan *job

	closing chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine is gone

	// Used by the goroutine only.
	conn *sql.Conn
	tx   *gorm.DB // on conn
}

// connect opens the connection for writes, with gorm on it.
type connect func(context.Context) (*sql.Conn, *gorm.DB, error)

func startWriter(lock *fileLock, open connect) *writer {
	w := &writer{
		open: open, lock: lock, queue: make(chan *job, queueCapacity),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// write queues a use case and waits until it is committed or refused. If the context of the
// caller ends, the use case leaves the queue, unless its batch has started.
func (w *writer) write(ctx context.Context, run UseCase) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{run: run, done: make(chan struct{})}
	select {
	case <-w.closing:
		return errClosed
	default:
	}
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.leave() {
			return ctx.Err()
		}
		<-j.done
	case <-w.stopped:
		if j.leave() {
			return errClosed
		}
		<-j.done
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

// close waits for the queued use cases and stops the writer.
func (w *writer) close() error {
	close(w.closing)
	<-w.stopped
	return w.lock.close()
}

func (w *writer) loop() {
	defer close(w.stopped)
	defer w.closeConn()
	for {
		select {
		case j := <-w.queue:
			w.commitBatch(j)
		case <-w.closing:
			for j := w.next(); j != nil; j = w.next() {
				w.commitBatch(j)
			}
			return
		}
	}
}

// next returns a use case that is waiting now, or nil.
func (w *writer) next() *job {
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// commitBatch runs first and the use cases that wait behind it, and commits them together.
func (w *writer) commitBatch(first *job) {
	if err := w.lock.acquire(); err != nil {
		w.refuseQueue(first, err)
		return
	}
	defer func() { _ = w.lock.release() }()
	if err := w.begin(); err != nil {
		w.closeConn()
		w.refuseQueue(first, asUnavailable(err))
		return
	}
	jobs, whole := w.collect(first)
	switch {
	case !whole || !inTransaction(w.conn):
		// A use case failed unexpectedly. The writes of the others may be lost too.
		w.closeConn()
		for _, j := range jobs {
			w.runAlone(j)
		}
	default:
		if err := w.exec("COMMIT"); err != nil {
			w.closeConn()
			for _, j := range jobs {
				j.err, j.panicked = asUnavailable(err), nil
			}
		}
	}
	for _, j := range jobs {
		close(j.done)
	}
}

// collect runs the use cases of the batch up to the limits. It stops at the first that fails
// other than by a verdict, and reports whether the batch is whole.
func (w *writer) collect(first *job) (jobs []*job, whole bool) {
	start := time.Now()
	savepoint := "SAVEPOINT one"
	for j := first; j != nil; j = w.next() {
		if !j.take() {
			continue
		}
		jobs = append(jobs, j)
		if w.exec(savepoint) != nil || !w.runInSavepoint(j) {
			return jobs, false
		}
		if len(jobs) == batchSize || time.Since(start) >= batchWork {
			break
		}
		savepoint = "RELEASE one; SAVEPOINT one" // COMMIT releases the last one
	}
	return jobs, true
}

// runInSavepoint runs one use case in the savepoint, and undoes its writes if it ends with a
// verdict. It returns false if the batch is broken.
func (w *writer) runInSavepoint(j *job) bool {
	j.err = j.attempt(w.tx)
	switch {
	case j.err == nil, isCommitted(j.err):
		return true
	case j.panicked != nil || isVerdict(j.err):
		return w.exec("ROLLBACK TO one") == nil
	}
	return false
}

// runAlone runs one use case of a broken batch in its own transaction.
func (w *writer) runAlone(j *job) {
	if err := w.begin(); err != nil {
		w.closeConn()
		j.err, j.panicked = asUnavailable(err), nil
		return
	}
	j.err = j.attempt(w.tx)
	if j.err == nil || isCommitted(j.err) {
		if err := w.exec("COMMIT"); err != nil {
			j.err = asUnavailable(err)
			w.closeConn()
		}
		return
	}
	if w.exec("ROLLBACK") != nil || j.panicked == nil && !isVerdict(j.err) {
		w.closeConn()
	}
}

// refuseQueue fails first and all waiting use cases, instead of letting each of them wait as
// long again. It takes all of them before it answers any. A caller that tries again after its
// answer is therefore not refused without waiting.
func (w *writer) refuseQueue(first *job, err error) {
	var refused []*job
	for j := first; j != nil; j = w.next() {
		if j.take() {
			refused = append(refused, j)
		}
	}
	for _, j := range refused {
		j.err = err
		close(j.done)
	}
}

func (w *writer) begin() error {
	if w.conn == nil {
		conn, tx, err := w.open(context.Background())
		if err != nil {
			return err
		}
		w.conn, w.tx = conn, tx
	}
	return w.exec("BEGIN IMMEDIATE")
}

func (w *writer) exec(sql string) error {
	_, err := w.conn.ExecContext(context.Background(), sql)
	return err
}

// closeConn closes the connection together with its open transaction. The next batch opens
// another connection.
func (w *writer) closeConn() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn, w.tx = nil, nil
}
