package engine_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"signet/storage/engine"
	"signet/storage/storagetest"
)

// useHeavily runs many statements at the same time. Their texts differ, so that each connection
// prepares other statements.
func useHeavily(t *testing.T, db handle) {
	t.Helper()
	var calls sync.WaitGroup
	for caller := range 12 {
		calls.Go(func() {
			for i := range 10 {
				var got int
				query := `SELECT ` + strings.Repeat("1 + ", (caller+i)%7) + `CAST(? AS BIGINT)`
				if err := db.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(query, 1).Scan(&got).Error }); err != nil {
					t.Error(err)
				}
				err := db.Write(t.Context(), func(tx *gorm.DB) error {
					return tx.Raw(query+` FROM instance`, 1).Scan(&got).Error
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

func TestPostgres_DetectsPoolerAtConnection(t *testing.T) {
	direct := storagetest.Postgres(t)
	for name, c := range map[string]struct {
		database string
		found    bool
	}{
		"PostgreSQL itself":              {direct.Config().Database, false},
		"PgBouncer":                      {direct.Pooled(t).Config().Database, true},
		"PgBouncer, mode set in the URL": {direct.Pooled(t).Config().Database + "&default_query_exec_mode=exec", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			// Two handles share the few connections of the pooler, as two nodes do.
			for range 2 {
				useHeavily(t, openConfig(t, engine.Config{Database: c.database, Log: slog.New(slog.NewTextHandler(&log, nil)), Migrations: schema}))
			}
			if found := strings.Contains(log.String(), "connection pooler detected"); found != c.found || found && strings.Count(log.String(), "\n") != 2 {
				t.Errorf("the log says:\n%s", log.String())
			}
		})
	}
}

// A pooler that passes on the server's key is detected at the first statement that the server
// does not know. The statement runs again without being prepared.
func TestPostgres_DetectsPoolerByMissingStatement(t *testing.T) {
	var log bytes.Buffer
	b := storagetest.Postgres(t)
	c := connectionConfig(b)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	db := openConfig(t, c)
	var one int
	read := func(q *gorm.DB) error { return q.Raw(`SELECT id FROM instance WHERE id = ?`, 1).Scan(&one).Error }
	forget := func(tx *gorm.DB) error { return tx.Exec(`DEALLOCATE ALL`).Error }
	for name, run := range map[string]func() error{
		"read":  func() error { return db.Read(t.Context(), read) },
		"write": func() error { return db.Write(t.Context(), read) },
	} {
		for _, do := range []func() error{run, func() error { return db.Write(t.Context(), forget) }, run, run} {
			if err := do(); err != nil || one != 1 {
				t.Errorf("%s: %d, %v", name, one, err)
			}
		}
	}
	if strings.Count(log.String(), "connection pooler detected") != 1 {
		t.Errorf("the log says:\n%s", log.String())
	}

	c.Database += "&default_query_exec_mode=cache_statement"
	db = openConfig(t, c)
	for _, run := range []func(*gorm.DB) error{read, forget} {
		if err := db.Write(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "mode set in the URL", db.Read(t.Context(), read), engine.ErrUnavailable)
}
