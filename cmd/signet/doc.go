// Command signet is an OpenID Connect provider in one program.
//
// It owns what a process has and a library must not: flags, environment, files,
// signals, standard streams, the wall clock and every ticker. run does the work
// of main and is what the tests call; each noun (serve, dev, user, client, session,
// keys, version) has files of its own.
//
// Data goes to standard output, talk to standard error; the exit codes are in
// the package exit. Passwords and secrets come from standard input or from files, never
// from an argument, since the argument list of a process can be read by others.
package main
