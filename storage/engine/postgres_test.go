package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"signet/storage/engine"
	"signet/storage/storagetest"
)

// terminate ends the server process of a transaction, as a fail-over does, and waits until it has
// ended.
func terminate(t *testing.T, b storagetest.Backend, tx *gorm.DB) error {
	t.Helper()
	var pid int
	if err := tx.Raw(`SELECT pg_backend_pid()`).Scan(&pid).Error; err != nil {
		return err
	}
	conn, err := pgx.Connect(context.Background(), b.Config().Database)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), `SELECT pg_terminate_backend($1, 10000)`, pid)
	return err
}

func TestPostgres_BrokenConnectionIsRetried(t *testing.T) {
	b := storagetest.Postgres(t)
	db := open(t, b)
	runs := 0
	err := db.Write(t.Context(), func(tx *gorm.DB) error {
		runs++
		if err := note(tx, "written"); err != nil {
			return err
		}
		if runs == 1 {
			if err := terminate(t, b, tx); err != nil {
				return err
			}
		}
		return tx.Exec(`SELECT 1`).Error
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, error %v: want success in the second run", runs, err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
		t.Errorf("rows %v, want one", got)
	}
}

// MN-08: an unknown outcome of a COMMIT is ErrUnavailable, and is not retried.
func TestPostgres_UnknownCommitOutcomeIsUnavailable(t *testing.T) {
	b := storagetest.Postgres(t)
	db := open(t, b)
	// The server process ends during the COMMIT.
	err := db.Write(t.Context(), func(tx *gorm.DB) error {
		for _, statement := range []string{
			`CREATE FUNCTION go_down() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`,
			`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON leases DEFERRABLE INITIALLY DEFERRED
				FOR EACH ROW WHEN (NEW.name = 'who knows') EXECUTE FUNCTION go_down()`,
		} {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = db.Write(t.Context(), func(tx *gorm.DB) error {
		runs++
		return note(tx, "who knows")
	})
	wantError(t, "commit while the server ends", err, engine.ErrUnavailable)
	if runs != 1 {
		t.Errorf("%d runs: a use case that may be committed was retried", runs)
	}
	if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "after") }); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestPostgres_DeadlockIsRetried(t *testing.T) {
	b := storagetest.Postgres(t)
	db := open(t, b)
	for _, name := range []string{"a", "b"} {
		if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, name) }); err != nil {
			t.Fatal(err)
		}
	}
	holds := []chan struct{}{make(chan struct{}), make(chan struct{})}
	runs := make([]int, 2)
	results := together(2, func(i int) error {
		names := []string{"a", "b"}
		return db.Write(context.Background(), func(tx *gorm.DB) error {
			runs[i]++
			lock := func(name string) error {
				return tx.Exec(`UPDATE leases SET expires_at = expires_at + 1 WHERE name = ?`, name).Error
			}
			if err := lock(names[i]); err != nil {
				return err
			}
			if runs[i] == 1 { // each locks its first row before it requests the row of the other
				close(holds[i])
				<-holds[1-i]
			}
			return lock(names[1-i])
		})
	})
	if errors.Join(results...) != nil || runs[0]+runs[1] != 3 {
		t.Errorf("results %v after %v runs: want both to succeed, one of them in a second run", results, runs)
	}
}

// ST-08: a row that is locked for too long gives ErrUnavailable.
func TestPostgres_RowLockedTooLongIsUnavailable(t *testing.T) {
	b := storagetest.Postgres(t)
	db := open(t, b)
	write := func(text string) error {
		return db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(text).Error })
	}
	if err := write(`INSERT INTO leases (name) VALUES ('held')`); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), b.Config().Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	holder, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `SELECT 1 FROM leases FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	db.SetWritePatience(100 * time.Millisecond)
	err = write(`UPDATE leases SET expires_at = 1`)
	wantError(t, "write", err, engine.ErrUnavailable)
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.SetWritePatience(5 * time.Second)
	if err := write(`UPDATE leases SET expires_at = 1`); err != nil {
		t.Errorf("after the row was released: %v", err)
	}
}
