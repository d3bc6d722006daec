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

// note is a use case that leaves a row.
func note(tx *gorm.DB, name string) error {
	return tx.Exec(`INSERT INTO leases (name) VALUES (?)`, name).Error
}

// notes lists the rows that were left, as another handle sees them.
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

// member is one use case of a batch and what became of its caller.
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

// asBatch holds the writer of a SQLite file until all members wait for it, so
// that they are committed together. meanwhile runs when they wait.
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
	if held.err != nil && !errors.Is(held.err, engine.ErrUnavailable) { // it may share their COMMIT
		t.Fatalf("the use case that held the writer: %v", held.err)
	}
}

func TestWriter_MembersOfABatchLeaveTheirNeighboursWhole(t *testing.T) {
	errOdd := errors.New("no verdict")
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
		"rolling back behind our back": func(tx *gorm.DB) error {
			return errors.Join(note(tx, "bad"), tx.Exec(`ROLLBACK`).Error, errOdd)
		},
	}
	for name, run := range bad {
		t.Run(name, func(t *testing.T) {
			b := storagetest.SQLite(t)
			db := open(t, b)
			var members []*member
			for _, neighbour := range []string{"a", "b", "c", "d"} {
				members = append(members, &member{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, neighbour) }})
			}
			odd := &member{ctx: t.Context(), run: run}
			asBatch(t, db, slices.Insert(members, 2, odd), func() {})
			for i, m := range members {
				if m.err != nil || m.panicked != nil {
					t.Errorf("neighbour %d: %v, %v", i, m.err, m.panicked)
				}
			}
			if odd.err == nil && odd.panicked == nil {
				t.Error("the odd member was told that all is well")
			}
			if errors.Is(odd.err, engine.ErrUnavailable) {
				t.Errorf("the odd member got %v: the database is well", odd.err)
			}
			if name == "panicking" && odd.panicked != "boom" {
				t.Errorf("panicked with %v, want it re-raised", odd.panicked)
			}
			if got := notes(t, b); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
				t.Errorf("rows %v, want those of the neighbours", got)
			}
		})
	}
}

func TestWriter_LostTransactionIsRunAgain(t *testing.T) {
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
		t.Errorf("rows %v, want what was acknowledged", got)
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
		t.Errorf("rows %v, want only what was acknowledged", got)
	}
}

func TestWriter_CallerMayLeaveUntilItsBatchStarts(t *testing.T) {
	b := storagetest.SQLite(t)
	db := open(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	gone := &member{ctx: ctx, run: func(tx *gorm.DB) error { return note(tx, "gone") }}
	stays := &member{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "stays") }}
	asBatch(t, db, []*member{gone, stays}, func() {
		cancel()
		// It answers at once, while the writer is still held.
		for deadline := time.Now().Add(10 * time.Second); !gone.answered.Load(); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Error("the caller did not leave the queue")
				return
			}
		}
	})
	wantError(t, "left", gone.err, context.Canceled)
	if stays.err != nil {
		t.Errorf("neighbour: %v", stays.err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"stays"}) {
		t.Errorf("rows %v, want that of the neighbour alone", got)
	}
}

func TestWrite_CallerGetsTheTruthOnceItHasStarted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *gorm.DB) error {
			cancel()
			return note(tx, "written")
		})
		if err != nil {
			t.Errorf("got %v for what was committed", err)
		}
		if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
			t.Errorf("rows %v", got)
		}
		err = db.Write(ctx, func(tx *gorm.DB) error { return note(tx, "never") })
		wantError(t, "with a dead context", err, context.Canceled)
		if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
			t.Errorf("rows %v", got)
		}
	})
}

func TestWrite_PanicLeavesNothingAndIsRaisedAgain(t *testing.T) {
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
			t.Errorf("rows %v, want the next alone", got)
		}
	})
}

func TestClose_AnswersWhatIsQueuedAndRefusesTheRest(t *testing.T) {
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
			t.Errorf("got %v, want nothing else than done or unavailable", err)
		}
	}
	if got := notes(t, b); len(got) != done-1 {
		t.Errorf("%d rows, %d acknowledged", len(got), done-1)
	}
	err := db.Read(t.Context(), func(q *gorm.DB) error { return nil })
	wantError(t, "read after close", err, engine.ErrUnavailable)
}

func TestST08_AnotherProcessWritesForTooLong(t *testing.T) {
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
	for range 2 { // the second meets the first's wait, still under way
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
		t.Errorf("when the other has ended: %v", err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
		t.Errorf("rows %v, want one", got)
	}
}

// A replay must end what it found, although the caller is refused.
func TestCommitted_IsKeptAndItsCauseIsTold(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		for name, c := range map[string]struct {
			refuse func(error) error
			kept   int
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
			if got := notes(t, b); countOf(got, name) != c.kept {
				t.Errorf("%s: rows %v, want %d of it", name, got, c.kept)
			}
		}
	})
}

func TestCommitted_IsUnavailableIfItsCommitFails(t *testing.T) {
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
	wantError(t, "a refusal that is not kept", lost.err, engine.ErrUnavailable)
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
