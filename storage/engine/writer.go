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

// The measures of a write batch. Nobody waits for company: a batch is what has
// arrived while the last one was being committed.
const (
	batchSize     = 64
	batchWork     = 5 * time.Millisecond
	queueCapacity = 1024
)

var errClosed = fmt.Errorf("database is closed: %w", ErrUnavailable)

// job is a use case that waits for its commit.
type job struct {
	run   UseCase
	state atomic.Int32 // waiting, then taken or left
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

// attempt runs the body and turns a panic into a value.
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

// writer is the one writer of a SQLite file in this process. It commits the use
// cases that are waiting in one transaction, each in a savepoint of its own, and
// answers them after the commit: durable and fast at once.
//
// Savepoints are raw statements on the batch's own connection and context. A
// caller's context reaches only the queue: one that died in mid-statement would
// roll back the whole batch.
type writer struct {
	open  connect
	lock  *fileLock
	queue chan *job

	closing chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine is gone

	// Owned by the goroutine.
	conn *sql.Conn
	tx   *gorm.DB // on conn
}

// connect opens a connection to write through, and gorm on it.
type connect func(context.Context) (*sql.Conn, *gorm.DB, error)

func startWriter(lock *fileLock, open connect) *writer {
	w := &writer{
		open: open, lock: lock, queue: make(chan *job, queueCapacity),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// write queues a use case and waits until it is committed or refused. A caller
// whose context dies leaves the queue, unless its batch has started.
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

// close waits for the use cases that are queued.
func (w *writer) close() error {
	close(w.closing)
	<-w.stopped
	return w.lock.close()
}

func (w *writer) loop() {
	defer close(w.stopped)
	defer w.drop()
	for {
		select {
		case j := <-w.queue:
			w.batch(j)
		case <-w.closing:
			for j := w.next(); j != nil; j = w.next() {
				w.batch(j)
			}
			return
		}
	}
}

// next gives a use case that is waiting now, or nil.
func (w *writer) next() *job {
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// batch commits first and those that are waiting behind it.
func (w *writer) batch(first *job) {
	if err := w.lock.acquire(); err != nil {
		w.refuseQueue(first, err)
		return
	}
	defer func() { _ = w.lock.release() }()
	if err := w.begin(); err != nil {
		w.drop()
		w.refuseQueue(first, unavailable(err))
		return
	}
	jobs, whole := w.collect(first)
	switch {
	case !whole || !inTransaction(w.conn):
		// Something broke in the middle: what the others did may be lost too.
		w.drop()
		for _, j := range jobs {
			w.alone(j)
		}
	default:
		if err := w.exec("COMMIT"); err != nil {
			w.drop()
			for _, j := range jobs {
				j.err, j.panicked = unavailable(err), nil
			}
		}
	}
	for _, j := range jobs {
		close(j.done)
	}
}

// collect runs the batch's use cases up to the limits. It stops, and tells that
// the batch is not whole, when one fails otherwise than by a verdict.
func (w *writer) collect(first *job) (jobs []*job, whole bool) {
	start := time.Now()
	savepoint := "SAVEPOINT one"
	for j := first; j != nil; j = w.next() {
		if !j.take() {
			continue
		}
		jobs = append(jobs, j)
		if w.exec(savepoint) != nil || !w.keepIfDone(j) {
			return jobs, false
		}
		if len(jobs) == batchSize || time.Since(start) >= batchWork {
			break
		}
		savepoint = "RELEASE one; SAVEPOINT one" // COMMIT releases the last one
	}
	return jobs, true
}

// keepIfDone runs one use case in the savepoint and undoes its writes if it came
// to a verdict. False: the batch is broken.
func (w *writer) keepIfDone(j *job) bool {
	j.err = j.attempt(w.tx)
	switch {
	case j.err == nil, isCommitted(j.err):
		return true
	case j.panicked != nil || isVerdict(j.err):
		return w.exec("ROLLBACK TO one") == nil
	}
	return false
}

// alone runs one use case of a broken batch in a transaction of its own.
func (w *writer) alone(j *job) {
	if err := w.begin(); err != nil {
		w.drop()
		j.err, j.panicked = unavailable(err), nil
		return
	}
	j.err = j.attempt(w.tx)
	if j.err == nil || isCommitted(j.err) {
		if err := w.exec("COMMIT"); err != nil {
			j.err = unavailable(err)
			w.drop()
		}
		return
	}
	if w.exec("ROLLBACK") != nil || j.panicked == nil && !isVerdict(j.err) {
		w.drop()
	}
}

// refuseQueue fails first and all that are waiting with it, rather than let each
// wait as long again. None is answered before all are taken: a caller that asks
// again after its answer has not waited yet.
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

// drop closes the connection, and with it any transaction that it has open. The
// next batch opens another.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn, w.tx = nil, nil
}
