// Package upkeep owns the background jobs of a node: it deletes expired rows, ends the
// sessions of connectors that were removed, writes the logout notices of an instance in which
// everything has ended, and writes the data that requests have collected
// in memory during the last second or minute (refusals, readers of the JWKS) in one call.
//
// A request never waits for a background job, and the memory that other parties can fill is
// bounded. Each job is a method …Once(ctx, at); its caller owns the ticker. The state that a
// job keeps between runs survives a reload of the settings.
//
// The package does not know tokens, sessions of browsers or pages.
package upkeep
