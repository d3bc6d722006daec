// Package engine runs use cases against SQLite or PostgreSQL.
//
// It owns the connections, the one writer of a SQLite file with its batches and its
// lock, the retries of PostgreSQL, the running of migrations, backup, and the reading of
// a database's errors. The rule it keeps: Engine.Write runs a use case in one
// transaction, which is durable when Write returns nil, and undone when the use case
// returns a verdict. A use case whose refusal must leave a trace returns
// Committed(verdict) instead.
//
// It knows SQL and no users: what a row means, which migrations there are and which
// refusals exist is known to package storage above it. Of the schema it knows the table
// migrations, which it makes, and the column instance.oldest_program. It imports no
// other package of ours.
package engine
