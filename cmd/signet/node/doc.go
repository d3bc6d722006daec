// Package node owns one running process: its database, listener, TLS, clock and periodic
// jobs, the changes of its settings, and its shutdown.
//
// A failed start leaves no files behind if possible, and only this user may read the files
// of a node. All tickers of the program are here: each job is a method …Once of the
// provider, and runs once a second. A change of the settings takes effect as a whole, or not
// at all.
//
// The package does not know commands, flags or standard streams, nor the answers to
// requests: the provider decides every answer.
package node
