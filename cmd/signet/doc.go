// Command signet is an OpenID Connect provider in one program.
//
// The package holds only main. The commands are in package program, so that tests can run
// them as well.
package main
