package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// terminate ends the server process that serves a transaction, as a fail-over
// does, and returns when it is gone.
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

func TestPostgres_UseCaseIsRunAgainWhenTheConnectionBreaks(t *testing.T) {
	b := storagetest.Postgres(t)
	db := b.Open(t)
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
		t.Errorf("%d runs, %v: want the second to succeed", runs, err)
	}
	if got := notes(t, b); !slices.Equal(got, []string{"written"}) {
		t.Errorf("rows %v, want one", got)
	}
}

func TestMN08_UnknownOutcomeOfACommitIsUnavailable(t *testing.T) {
	b := storagetest.Postgres(t)
	db := b.Open(t)
	// The server goes down while it commits.
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
	wantError(t, "commit into a server that goes down", err, storage.ErrUnavailable)
	if runs != 1 {
		t.Errorf("%d runs: what may have committed was run again", runs)
	}
	if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "after") }); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func TestPostgres_DeadlockIsRunAgain(t *testing.T) {
	b := storagetest.Postgres(t)
	db := b.Open(t)
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
			if runs[i] == 1 { // each holds its first row before it asks for the other's
				close(holds[i])
				<-holds[1-i]
			}
			return lock(names[1-i])
		})
	})
	if counts := tally(results); counts["ok"] != 2 || runs[0]+runs[1] != 3 {
		t.Errorf("outcomes %v after %v runs: want both to succeed, one of them again", results, runs)
	}
}

func TestST08_RowIsHeldForTooLong(t *testing.T) {
	w := newWorld(t, storagetest.Postgres(t))
	conn, err := pgx.Connect(t.Context(), w.backend.Config().Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	holder, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `SELECT 1 FROM users FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	w.SetWritePatience(100 * time.Millisecond)
	r := w.redemption("request", "code", noon)
	_, err = w.RedeemCode(t.Context(), r, noon)
	wantError(t, "redeem", err, storage.ErrUnavailable)
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.SetWritePatience(5 * time.Second)
	w.redeem(t, r, noon)
}

// A user who is disabled while a code is redeemed must not keep an offline grant
// that comes to life when the user is enabled again.
func TestPostgres_RedemptionAndDisablingMeetInOneOrder(t *testing.T) {
	w := newWorld(t, storagetest.Postgres(t))
	for round := range 20 {
		at := noon.Add(time.Duration(round) * time.Minute)
		w.session = w.signIn(t, w.user.ID, storage.NewID("h"), "", at)
		r := w.redemption(storage.NewID("r"), "code", at)
		r.Grant.Offline = true
		results := together(2, func(i int) error {
			if i == 0 {
				return w.SetUserEnabled(context.Background(), w.user.ID, false, storage.By{At: at})
			}
			_, err := w.RedeemCode(context.Background(), r, at.Add(time.Second)) // by a clock ahead
			return err
		})
		if results[0] != nil || results[1] != nil && outcome(results[1]) != "revoked" {
			t.Fatalf("outcomes %v", results)
		}
		if err := w.SetUserEnabled(t.Context(), w.user.ID, true, storage.By{At: at}); err != nil {
			t.Fatal(err)
		}
		w.dead(t, r.Grant.ID, at.Add(2*time.Second))
	}
}
