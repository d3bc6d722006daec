// Command signet is an OpenID Connect provider in one program.
//
// It owns main: what the operating system gives to a program (arguments, environment,
// signals and standard streams) is read here, and nowhere else. The commands are in
// program, the settings are read in config, the running process is node.
package main
