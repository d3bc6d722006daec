// Package federationtest contains pretend upstreams for federation: a Google, a GitHub and an
// OpenID provider that can be told to send invalid answers (Lying). Each is a real HTTP server
// on a loopback port, with its own sign-in page and the quirks of the original.
//
// Tests and `signet dev` use it. It has no real accounts, and its keys and secrets are new in
// each run.
//
// It signs tokens with the standard library only, so that federation does not verify tokens
// with the same library that made them.
package federationtest
