package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"

	"signet/storage/engine"
	"signet/storage/storagetest"
)

var errRefused = engine.NewVerdict("refused")

// note is a use case that writes a row.
func note(tx *gorm.DB, name string) error {
	return tx.Exec(`INSERT INTO leases (name) VALUES (?)`, name).Error
}

// notes lists the rows as another handle sees them.
func notes(t *testing.T, b storagetest.Backend) []string {
	t.Helper()
	var names []string
	err := open(t, b).Read(t.Context(), func(q *gorm.DB) error {
		return q.Raw(`SELECT name FROM leases ORDER BY name`).Scan(&names).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// member is one use case of a batch, with the result of its caller.
type member struct {
	ctx      context.Context
	run      func(tx *gorm.DB) error
	err      error
	panicked any
	answered atomic.Bool
}

func (m *member) write(db handle) {
	defer m.answered.Store(true)
	defer func() { m.panicked = recover() }()
	m.err = db.Write(m.ctx, m.run)
}

// asBatch blocks the writer of a SQLite file until all members wait for it, so that they are
// committed together. meanwhile runs while they wait.
func asBatch(t *testing.T, db handle, members []*member, meanwhile func()) {
	t.Helper()
	entered, release := make(chan struct{}), make(chan struct{})
	held := &member{ctx: t.Context(), run: func(*gorm.DB) error {
		close(entered)
		<-release
		return nil
	}}
	done := make(chan struct{}, len(members)+1)
	start := func(m *member) {
		go func() {
			m.write(db)
			done <- struct{}{}
		}()
	}
	start(held)
	<-entered
	for i, m := range members {
		start(m)
		for db.Queued() != i+1 {
			runtime.Gosched()
		}
	}
	meanwhile()
	close(release)
	for range len(members) + 1 {
		<-done
	}
	if held.err != nil && !errors.Is(held.err, engine.ErrUnavailable) { // it may be in the same COMMIT
		t.Fatalf("the use case that blocked the writer: %v", held.err)
	}
}

func TestWriter_FailingMemberDoesNotAffectNeighbors(t *testing.T) {
	errOdd := errors.New("not a verdict")
	bad := map[string]func(tx *gorm.DB) error{
		"refused":    func(tx *gorm.DB) error { return errors.Join(note(tx, "bad"), errRefused) },
		"constraint": func(tx *gorm.DB) error { return errors.Join(note(tx, "bad"), note(tx, "bad")) },
		"failing":    func(tx *gorm.DB) error { return errors.Join(note(tx, "bad"), errOdd) },
		"bad SQL": func(tx *gorm.DB) error {
			return errors.Join(note(tx, "bad"), tx.Exec(`SELECT nothing FROM nowhere`).Error)
		},
		"panicking": func(tx *gorm.DB) error {
			if err := note(tx, "bad"); err != nil {
				return err
			}
			panic("boom")
		},
		"rolling back by itself": func(tx *gorm.DB) error {
			return errors.Join(note(tx, "bad"), tx.Exec(`ROLLBACK`).Error, errOdd)
		},
	}
	for name, run := range bad {
		t.Run(name, func(t *testing.T) {
			b := storagetest.SQLite(t)
			db := open(t, b)
			var members []*member
			for _, neighbor := range []string{"a", "b", "c", "d"} {
				members = append(members, &member{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, neighbor) }})
			}
			odd := &member{ctx: t.Context(), run: run}
			asBatch(t, db, slices.Insert(members, 2, odd), func() {})
			for i, m := range members {
				if m.err != nil || m.panicked != nil {
					t.Errorf("neighbor %d: %v, %v", i, m.err, m.panicked)
				}
			}
			if odd.err == nil && odd.panicked == nil {
				t.Error("the failing member got no error")
			}
			if errors.Is(odd.err, engine.ErrUnavailable) {
				t.Errorf("the failing member got %v, but the database is available", odd.err)
			}
			if name == "panicking" && odd.panicked != "boom" {
				t.Errorf("panicked with %v, want the panic of the use case", odd.panicked)
			}
			if got := notes(t, b); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
				t.Errorf("rows %v, want those of the neighbors", got)
			}
		})
	}
}

func TestWriter_LostTransactionIsRetried(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	first := true
	members := []*member{
		{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "a") }},
		{ctx: t.Context(), run: func(tx *gorm.DB) error {
			if first {
				first = false
				if err := tx.Exec(`ROLLBACK`).Error; err != nil {
					return err
				}
			}
			return nil
		}},
		{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "b") }},
	}
	asBatch(t, db, members, func() {})
	for i, m := range members {
		if m.err != nil {
			t.Errorf("member %d: %v", i, m.err)
		}
	}
	if got := notes(t, b); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("rows %v, want the acknowledged ones", got)
	}
}

func TestWriter_FailedCommitIsUnavailableForAll(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	members := []*member{
		{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "a") }},
		{ctx: t.Context(), run: func(tx *gorm.DB) error {
			if err := tx.Exec(`PRAGMA defer_foreign_keys = ON`).Error; err != nil {
				return err
			}
			return tx.Exec(`INSERT INTO identities (connector, issuer, subject, user_id) VALUES ('c', 'i', 's', 'nobody')`).Error
		}},
		{ctx: t.Context(), run: func(*gorm.DB) error { return errRefused }},
	}
	asBatch(t, db, members, func() {})
	for i, m := range members[:2] {
		wantError(t, fmt.Sprint("member ", i), m.err, engine.ErrUnavailable)
	}
	if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "after") }); err != nil {
		t.Fatalf("after the failure: %v", err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"after"}) {
		t.Errorf("rows %v, want only the acknowledged ones", got)
	}
}

func TestWriter_CanceledCallerLeavesQueue(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	gone := &member{ctx: ctx, run: func(tx *gorm.DB) error { return note(tx, "gone") }}
	stays := &member{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "stays") }}
	asBatch(t, db, []*member{gone, stays}, func() {
		cancel()
		// It returns at once, while the writer is still blocked.
		for deadline := time.Now().Add(10 * time.Second); !gone.answered.Load(); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Error("the caller did not leave the queue")
				return
			}
		}
	})
	wantError(t, "canceled member", gone.err, context.Canceled)
	if stays.err != nil {
		t.Errorf("neighbor: %v", stays.err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"stays"}) {
		t.Errorf("rows %v, want only that of the neighbor", got)
	}
}

func TestWrite_CancelingAfterStartStillCommits(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *gorm.DB) error {
			cancel()
			return note(tx, "written")
		})
		if err != nil {
			t.Errorf("got %v for a committed use case", err)
		}
		if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
			t.Errorf("rows %v", got)
		}
		err = db.Write(ctx, func(tx *gorm.DB) error { return note(tx, "never") })
		wantError(t, "with a canceled context", err, context.Canceled)
		if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
			t.Errorf("rows %v", got)
		}
	})
}

func TestWrite_PanicUndoesAndReachesCaller(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		m := &member{ctx: t.Context(), run: func(tx *gorm.DB) error {
			if err := note(tx, "half"); err != nil {
				return err
			}
			panic("boom")
		}}
		m.write(db)
		if m.panicked != "boom" {
			t.Errorf("panicked with %v, error %v", m.panicked, m.err)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "next") }); err != nil {
			t.Errorf("after the panic: %v", err)
		}
		if got := notes(t, b); !slices.Equal(got, []string{"next"}) {
			t.Errorf("rows %v, want only the next one", got)
		}
	})
}

func TestClose_FinishesQueueAndRefusesLaterWrites(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	results := together(3*engine.BatchSize, func(i int) error {
		if i == engine.BatchSize {
			return db.Close()
		}
		return db.Write(context.Background(), func(tx *gorm.DB) error { return note(tx, fmt.Sprint(i)) })
	})
	done := 0
	for _, err := range results {
		if err == nil {
			done++
		} else if !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("got %v, want success or ErrUnavailable", err)
		}
	}
	if got := notes(t, b); len(got) != done-1 {
		t.Errorf("%d rows, %d acknowledged", len(got), done-1)
	}
	err := db.Read(t.Context(), func(q *gorm.DB) error { return nil })
	wantError(t, "read after close", err, engine.ErrUnavailable)
}

// ST-08: another process that writes for too long gives ErrUnavailable.
func TestSQLite_OtherProcessWritingTooLongIsUnavailable(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	db.SetLockPatience(50 * time.Millisecond)
	other, err := unix.Open(filepath.Join(b.Config().DataDir, "signet.db-lock"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if err := unix.Flock(other, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	write := func() error {
		return db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "written") })
	}
	for range 2 { // during the second write, the flock call of the first still waits
		wantError(t, "write", write(), engine.ErrUnavailable)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("a read must not wait: %v", err)
	}
	if err := unix.Flock(other, unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	db.SetLockPatience(5 * time.Second)
	if err := write(); err != nil {
		t.Errorf("after the other process has ended: %v", err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
		t.Errorf("rows %v, want one", got)
	}
}

// For example, a replay must revoke the grant although the caller gets an error.
func TestCommitted_CommitsAndReturnsCause(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		for name, c := range map[string]struct {
			refuse func(error) error
			rows   int
		}{
			"committed":         {engine.Committed, 1},
			"committed, nested": {func(err error) error { return fmt.Errorf("step: %w", engine.Committed(err)) }, 1},
			"undone":            {func(err error) error { return err }, 0},
		} {
			err := db.Write(t.Context(), func(tx *gorm.DB) error {
				if err := note(tx, name); err != nil {
					return err
				}
				return c.refuse(errRefused)
			})
			if !errors.Is(err, errRefused) || err.Error() != "run test's use case: refused" {
				t.Errorf("%s: got %v", name, err)
			}
			if got := notes(t, b); countOf(got, name) != c.rows {
				t.Errorf("%s: rows %v, want %d with this name", name, got, c.rows)
			}
		}
	})
}

func TestCommitted_FailedCommitIsUnavailable(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	lost := &member{ctx: t.Context(), run: func(tx *gorm.DB) error {
		return errors.Join(note(tx, "a"), engine.Committed(errRefused))
	}}
	breaks := &member{ctx: t.Context(), run: func(tx *gorm.DB) error {
		if err := tx.Exec(`PRAGMA defer_foreign_keys = ON`).Error; err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO identities (connector, issuer, subject, user_id) VALUES ('c', 'i', 's', 'nobody')`).Error
	}}
	asBatch(t, db, []*member{lost, breaks}, func() {})
	wantError(t, "a refusal that could not be committed", lost.err, engine.ErrUnavailable)
	if got := notes(t, b); len(got) != 0 {
		t.Errorf("rows %v, want none", got)
	}
}

func countOf(list []string, want string) (n int) {
	for _, s := range list {
		if s == want {
			n++
		}
	}
	return n
}
