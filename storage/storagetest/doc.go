// Package storagetest runs a test on every database that Signet supports: SQLite in a separate
// folder, and a temporary PostgreSQL that it starts from the installed binaries, once per test
// binary.
//
//	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
//		db := b.Open(t)
//		…
//	})
//
// Only tests import it. It never skips a test: if PostgreSQL is missing, the test fails and says
// which package to install.
package storagetest
