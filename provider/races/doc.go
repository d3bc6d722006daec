// Package races holds tests and no program: what becomes of a code, a token, a session,
// a key or an account when several requests want it at the same moment, on one node and
// on two, on both databases.
//
// Its rule: what may happen once happens once, and every other request gets an answer
// that it can act on. A race shows itself by repetition, so `make soak` runs each of
// them 200 times.
//
// The package does not know how storage decides: it sees answers and events.
package races
