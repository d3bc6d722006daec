// Package session binds a browser to a signed-in subject.
//
// A session is one row and one cookie. The cookie carries a random handle and
// the row its hash, so a copy of the database signs nobody in. The sid claim is
// another value: it is published to clients and proves nothing. Every sign-in
// makes a new handle.
//
// A device is the sealed note that a user has signed in with this browser before. It
// outlives the session, proves nobody, and decides only whom a wrong password is
// counted against.
//
// The tokens of the first-party app lie in cookies beside the session's and go when
// it goes.
//
// The package does not know clients or scopes, nor what is in a token.
package session
