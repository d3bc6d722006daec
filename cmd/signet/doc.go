// Command signet is an OpenID Connect provider in one program.
//
// It owns its own name: all that it does is in program, whose tests run it too.
package main
