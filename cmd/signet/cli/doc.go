// Package cli owns the code that all commands share: the environment, streams and clock of
// the program, the flags of settings, the database that the settings name, and the helpers
// for messages, confirmations and errors.
//
// Data goes to standard output, messages go to standard error. An error in the command line
// ends with the help command to run. The package does not know any single command.
package cli
