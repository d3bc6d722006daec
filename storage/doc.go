// Package storage keeps what Signet must not forget, on SQLite or PostgreSQL.
//
// It owns the domain types, with their pure rules as methods, and the use cases.
// One exported method is one use case is one transaction; whatever may happen
// once is decided by one conditional write and its affected-row count. Times come
// in as arguments, secrets come in hashed, keys come in sealed.
//
// The package and its lower floor storage/engine, which runs the use cases, are the only
// ones that know gorm and SQL. It does not know HTTP, tokens, clocks or networks.
package storage
