// Package credential checks the passwords of users and hashes new ones.
//
// Hashing waits in a queue of limited length, and attempts are counted before they are
// hashed. Unknown users, wrong passwords, disabled users and users without a password get
// the same answer after the same work.
//
// The package does not know sessions, requests, pages or HTTP.
package credential
