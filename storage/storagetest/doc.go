// Package storagetest runs a test on every database that Signet supports: SQLite
// in a folder of its own, and a throw-away PostgreSQL started from the installed
// binaries, once per test binary.
//
//	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
//		db := b.Open(t)
//		…
//	})
//
// Only tests import it. It never skips: where PostgreSQL is missing, the test
// fails and says what to install.
package storagetest
