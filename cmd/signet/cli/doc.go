// Package cli owns what the commands have in common: the surroundings of the program
// (environment, streams, clock), the flags of settings, the database that the settings
// name, and how a command talks, asks and refuses.
//
// Data goes to standard output, talk to standard error. A mistake in how a command was
// called is told with the help that shows the right way. The package does not know any
// single command.
package cli
