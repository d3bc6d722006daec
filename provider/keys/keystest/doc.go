// Package keystest makes rings of keys for tests, each with its keeper and a database of
// its own, and tokens to try them with.
//
// The program must not be able to reach it.
package keystest
