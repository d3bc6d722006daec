// Package program owns the tree of all commands, and Run, which executes one command.
//
// It contains the flags, the files that flags name, and the output. The commands user, client
// and keys have their own packages; each other noun has its own files. Package cli has the code
// that all commands share, config reads the settings, node is the running process, and demo is
// the additional part of dev.
//
// The package decides no rules. It does not know its process: the environment and the streams
// are passed in, so that a test can run the whole program.
//
// Data goes to standard output, messages go to standard error. Exit codes are in package exit.
// Passwords and secrets come from standard input or from files, never from an argument, because
// other users of the machine can read the arguments of a process.
package program
