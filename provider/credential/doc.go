// Package credential decides whether a person knows a password.
//
// Attempts are counted before anything is hashed, hashing waits in a bounded
// queue, and unknown, wrong, disabled and locked give the same answer after the
// same work. The package does not know sessions, requests, pages or HTTP.
package credential
