// Package demo owns what `signet dev` adds to a node: people and a client whose
// passwords lie in files, a relying party that shows the tokens it gets, and upstreams
// that pretend to be Google and GitHub.
//
// It serves this machine alone, and refuses requests for other host names. The relying
// party is built on a library that is not ours and reaches the provider as any other
// would: over HTTP, by discovery. The package does not know commands or flags, and a
// server that people rely on cannot reach it.
package demo
