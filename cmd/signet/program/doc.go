// Package program is the commands of Signet as one tree, and Run, which executes one.
//
// It owns what the commands say: flags, files that are named by a flag, and output. Each
// noun has files of its own, and user, client and keys have rooms. What all commands
// share is in cli, the settings are read in config, the running process is node, and
// what dev adds to it is demo. No rule is decided here. It does not know the process that
// it runs in: surroundings are given to it, so that a test may run the whole program.
//
// Data goes to standard output, talk to standard error; the exit codes are in
// the package exit. Passwords and secrets come from standard input or from files, never
// from an argument, since the argument list of a process can be read by others.
package program
