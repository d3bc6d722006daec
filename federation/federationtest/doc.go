// Package federationtest pretends to be the upstreams that federation signs
// people in through: a Google, a GitHub and a liar, each a real HTTP server on a
// loopback port, with a sign-in page of its own and the quirks of the original.
//
// Tests and `signet dev` use it. There are no real accounts in it, and its keys
// and secrets are made anew each time.
//
// It signs its tokens with the standard library alone, so that what federation
// verifies was not made by the library that verifies it.
package federationtest
