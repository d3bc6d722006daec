// Package node owns one running process: its database, listener, TLS, clock, periodic
// jobs, the settings that it follows while it runs, and its end.
//
// A start that fails leaves no trace where that is possible, and what is written is for
// this user alone. All tickers of the program are here: each job is a method …Once of
// the provider, and runs once a second. A change of the settings is taken over as a
// whole, or not at all.
//
// The package does not know commands, flags, standard streams or what is served: the
// provider decides every answer.
package node
