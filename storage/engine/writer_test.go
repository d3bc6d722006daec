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

	"signet/storage"
	"signet/storage/storagetest"
)

// note is a use case that leaves a row.
func note(tx *gorm.DB, name string) error {
	return tx.Exec(`INSERT INTO leases (name) VALUES (?)`, name).Error
}

// notes lists the rows that were left, as another handle sees them.
func notes(t *testing.T, b storagetest.Backend) []string {
	t.Helper()
	var names []string
	err := b.Open(t).Read(t.Context(), func(q *gorm.DB) error {
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

func (m *member) write(db *storage.DB) {
	defer m.answered.Store(true)
	defer func() { m.panicked = recover() }()
	m.err = db.Write(m.ctx, m.run)
}

// asBatch holds the writer of a SQLite file until all members wait for it, so
// that they are committed together. meanwhile runs when they wait.
func asBatch(t *testing.T, db *storage.DB, members []*member, meanwhile func()) {
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
	if held.err != nil && !errors.Is(held.err, storage.ErrUnavailable) { // it may share their COMMIT
		t.Fatalf("the use case that held the writer: %v", held.err)
	}
}

func TestWriter_MembersOfABatchLeaveTheirNeighboursWhole(t *testing.T) {
	errOdd := errors.New("no verdict")
	bad := map[string]func(tx *gorm.DB) error{
		"refused":    func(tx *gorm.DB) error { return errors.Join(note(tx, "bad"), storage.ErrRevoked) },
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
			db := b.Open(t)
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
			if errors.Is(odd.err, storage.ErrUnavailable) {
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
	db := b.Open(t)
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
	db := b.Open(t)
	members := []*member{
		{ctx: t.Context(), run: func(tx *gorm.DB) error { return note(tx, "a") }},
		{ctx: t.Context(), run: func(tx *gorm.DB) error {
			if err := tx.Exec(`PRAGMA defer_foreign_keys = ON`).Error; err != nil {
				return err
			}
			return tx.Exec(`INSERT INTO identities (connector, issuer, subject, user_id) VALUES ('c', 'i', 's', 'nobody')`).Error
		}},
		{ctx: t.Context(), run: func(*gorm.DB) error { return storage.ErrRevoked }},
	}
	asBatch(t, db, members, func() {})
	for i, m := range members[:2] {
		wantError(t, fmt.Sprint("member ", i), m.err, storage.ErrUnavailable)
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
	db := b.Open(t)
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
		db := b.Open(t)
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
		db := b.Open(t)
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
	db, err := storage.Open(t.Context(), b.Config())
	if err != nil {
		t.Fatal(err)
	}
	results := together(3*storage.BatchSize, func(i int) error {
		if i == storage.BatchSize {
			return db.Close()
		}
		return db.Write(context.Background(), func(tx *gorm.DB) error { return note(tx, fmt.Sprint(i)) })
	})
	counts := tally(results)
	if counts["ok"]+counts["unavailable"] != len(results) {
		t.Errorf("outcomes %v, want nothing else than done or unavailable", counts)
	}
	if got := notes(t, b); len(got) != counts["ok"]-1 {
		t.Errorf("%d rows, %d acknowledged", len(got), counts["ok"]-1)
	}
	_, err = db.User(t.Context(), "usr_x")
	wantError(t, "read after close", err, storage.ErrUnavailable)
}

func TestST08_AnotherProcessWritesForTooLong(t *testing.T) {
	w := newWorld(t, storagetest.SQLite(t))
	w.SetLockPatience(50 * time.Millisecond)
	other, err := unix.Open(filepath.Join(w.backend.Config().DataDir, "signet.db-lock"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if err := unix.Flock(other, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	r := w.redemption("request", "code", noon)
	for range 2 { // the second meets the first's wait, still under way
		_, err = w.RedeemCode(t.Context(), r, noon)
		wantError(t, "redeem", err, storage.ErrUnavailable)
	}
	if _, err := w.Client(t.Context(), "web"); err != nil {
		t.Errorf("a read must not wait: %v", err)
	}
	if err := unix.Flock(other, unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	w.SetLockPatience(5 * time.Second)
	w.redeem(t, r, noon)
}
