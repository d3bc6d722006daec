package engine_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"gorm.io/gorm"

	"signet/storage/engine"
	"signet/storage/storagetest"
)

// handle is an engine with the schema of Signet, for use cases that a test defines.
type handle struct{ *engine.Engine }

func (h handle) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return h.Engine.Write(ctx, "run test's use case", run)
}

func (h handle) Read(ctx context.Context, run func(q *gorm.DB) error) error {
	return h.Engine.Read(ctx, "run test's read", run)
}

var schema = engine.Migrations{Files: os.DirFS("../migrations")}

func connectionConfig(b storagetest.Backend) engine.Config {
	return engine.Config{DataDir: b.Config().DataDir, Database: b.Config().Database, Migrations: schema}
}

func open(t testing.TB, b storagetest.Backend) handle {
	t.Helper()
	return openConfig(t, connectionConfig(b))
}

func openConfig(t testing.TB, c engine.Config) handle {
	t.Helper()
	e, err := engine.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return handle{e}
}

func wantError(t testing.TB, name string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

// together runs f n times at the same time and returns all results.
func together(n int, f func(i int) error) []error {
	results := make([]error, n)
	start, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			<-start
			results[i] = f(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return results
}
