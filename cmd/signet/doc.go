// Command signet is an OpenID Connect provider in one program.
//
// It owns the commands: flags, environment, files that are named by a flag, signals,
// standard streams and what is said there. run does the work of main and is what the
// tests call; each noun has files of its own, and user, client and keys have rooms. What
// all commands share is in cli, the settings are read in config, the running process is
// node, and what dev adds to it is demo. No rule is decided here.
//
// Data goes to standard output, talk to standard error; the exit codes are in
// the package exit. Passwords and secrets come from standard input or from files, never
// from an argument, since the argument list of a process can be read by others.
package main
