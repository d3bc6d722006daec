// Package storage stores everything that Signet must not lose, in SQLite or PostgreSQL.
//
// It owns the domain types, with the rules about one value as their methods, and the use cases.
// One exported method is one use case and one transaction. If something may happen only once,
// one conditional write and its count of affected rows decide. Callers pass the time as an
// argument, hash secrets before they pass them, and seal keys.
//
// A use case that needs many values takes a struct named after the act: SignIn, CodeRedemption,
// GrantRotation, KeyRevocation. If the use case records an event, By holds its origin and its
// time. If the effects of a refusal must stay, the use case returns engine.Committed.
//
// # gorm, and the one way past it
//
// Statements normally run through gorm. It scans rows, converts columns that hold JSON or
// durations, and writes parameters in the form of each database.
//
// The hottest statements do not run through gorm: those of each sign-in, sign-on check, code redemption,
// refresh, introspection and end of a session. They are values of engine.Statement, which uses
// gorm's connection but skips gorm's own work. source_test.go lists each of them with the reason
// and fails if another statement skips gorm. There is no third way.
//
// BenchmarkStatement_WithAndWithoutGorm measured the difference (the fastest of eight runs on one
// machine). Reading a grant of 24 columns takes 9.6 µs as an engine.Statement and 28.8 µs
// through gorm on SQLite (3.0 times), and 54 µs and 75 µs on PostgreSQL (1.4 times), with 55 and
// 114 allocations. Writes cost nearly the same both ways (2.9 µs and 3.1 µs on SQLite). A write
// is an engine.Statement only if it returns a row or belongs to one of those use cases.
//
// Only this package and storage/engine, which runs the use cases, know gorm and SQL. This
// package does not know HTTP, tokens, clocks or networks.
package storage
