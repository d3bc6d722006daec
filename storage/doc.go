// Package storage keeps what Signet must not forget, on SQLite or PostgreSQL.
//
// It owns the domain types, with their pure rules as methods, and the use cases.
// One exported method is one use case is one transaction; whatever may happen
// once is decided by one conditional write and its affected-row count. Times come
// in as arguments, secrets come in hashed, keys come in sealed.
//
// The input of a use case that needs many values is a struct that is named by the act as
// a noun: SignIn, CodeRedemption, GrantRotation, KeyRevocation. Where a use case is recorded, By
// tells where it came from and when. A refusal whose effects must stay is
// engine.Committed.
//
// # Gorm, and what goes past it
//
// Statements go through gorm: it scans rows, keeps the columns that are JSON or
// durations, and spells parameters for both databases. The statements that each sign-on
// check, code, refresh, introspection and end of a session runs go past it, as
// engine.Statement, on gorm's connection. source_test.go lists them with the reason;
// nothing else goes past gorm, and there is no third way.
//
// The measure is BenchmarkStatement_BesideGorm, the least of eight runs on one machine: to
// read a grant of 24 columns takes 9.6 µs past gorm and 28.8 µs through it on SQLite (3.0
// times), 54 µs and 75 µs on PostgreSQL (1.4 times), with 55 allocations and 114. A write
// costs nearly the same either way (2.9 µs and 3.1 µs on SQLite) and is listed if it
// returns a row or belongs to one of those use cases.
//
// The package and its lower floor storage/engine, which runs the use cases, are the only
// ones that know gorm and SQL. It does not know HTTP, tokens, clocks or networks.
package storage
