// Package demo owns the parts that `signet dev` adds to a node: people and a client whose
// passwords are stored in files, a relying party that shows the tokens it receives, and
// upstreams that pretend to be Google and GitHub.
//
// It serves only this machine and refuses requests for other host names. The relying party
// is built on another library than the provider, and uses the provider as every other
// relying party does: over HTTP, by discovery. The package does not know commands or flags,
// and `signet serve` does not import it.
package demo
