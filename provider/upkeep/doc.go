// Package upkeep owns what a node does beside answering: it deletes what is kept no
// longer, ends the sessions of connectors that were removed, and writes down in one go
// what the requests of the last second or minute have left (refusals, readers of the
// JWKS).
//
// Its rule: a request never waits for upkeep, and what strangers can make it remember
// is bounded. Each job is a method …Once(ctx, at); its caller owns the ticker. What a
// job remembers from run to run outlives a reload of the settings.
//
// The package does not know tokens, sessions of browsers or pages.
package upkeep
