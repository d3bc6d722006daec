// Package providertest starts a whole provider for a test, on each database. It also
// plays the parties that use the provider: a person with a browser, a client, an operator
// and a thief of the database.
//
//	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
//		code := b.Visitor(t).SignInForCode(t) // alice signs in and consents
//		tokens := b.Redeem(t, code)
//		…
//	})
//
// A Testbed is a provider behind a real HTTP server on a real database, with a clock that
// the test moves. A Visitor is a browser: it follows redirects, and each walk ends at a
// Stop, which is a page or a redirect to another origin. A Bench is a signed-in Visitor
// with the tokens of a client, for tests that forge tokens. Upstreams are identity
// providers that speak their protocol over real ports. Nothing sleeps and nothing is
// mocked.
//
// Helpers that begin with Want or Refuse fail the test if the provider answers otherwise.
// Redeem, MustRefresh and the sign-in helpers fail the test if the provider refuses.
//
// Only tests import the package. It knows only the outside of the provider, so that the
// tests of every package can use it.
package providertest
