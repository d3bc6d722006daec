// Package keystest makes rings of keys for tests, and tokens to test them with. Each ring
// has its own keeper and its own database.
//
// Only tests may import it: the program must not depend on it.
package keystest
