// Package directory owns the rules of clients and users. It decides which values may be
// registered and changed, and how client secrets are made, stored and compared. It lists
// the fields of a client.
//
// Every command, page and API that creates or changes a client or a user for an
// administrator calls a Directory, because storage also stores values that break a rule.
// Rules that must be checked in the transaction of a write are in storage: an id, an email
// address and a username are unique, one administrator remains, and data attached to an
// unverified address is evicted or kept.
//
// People also change their profiles through a Directory. Packages account and interaction
// have the rest of the self-service of accounts.
//
// The package does not know HTTP, SQL, flags, or how a caller presents a refusal.
package directory
