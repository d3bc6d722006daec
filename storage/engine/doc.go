// Package engine runs use cases on SQLite or PostgreSQL.
//
// It owns the connections, the single writer of a SQLite file with its batches and its lock, the
// retries on PostgreSQL, the running of migrations, the backup, and the meaning of database
// errors. Engine.Write keeps this rule: it runs a use case in one transaction. The transaction
// is durable when Write returns nil, and is undone when the use case returns a verdict. If a
// refusal must leave a trace, the use case returns Committed(verdict) instead.
//
// Use cases get gorm on the connection of their transaction. Statement is the one way past gorm:
// it uses the same connection, but prepares its SQL and scans its rows without gorm. The doc.go
// of package storage says which statements may do so, and why.
//
// The package knows SQL but no users. Package storage above it knows the meaning of the rows,
// the migrations and the refusals. Of the schema this package knows only the table migrations,
// which it creates, and the column instance.oldest_program. It imports no other package of
// Signet.
package engine
