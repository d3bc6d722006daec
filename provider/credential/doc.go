// Package credential decides whether a person knows a password.
//
// Hashing waits in a bounded queue, attempts are counted before they are hashed,
// and unknown, wrong, disabled and locked give the same answer after the same
// work. The package does not know sessions, requests, pages or HTTP.
package credential
