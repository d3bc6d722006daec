// Package providertest starts a whole provider for a test, on each database, and
// plays those who come to it: a person with a browser, a client, an operator, a thief.
//
//	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
//		code := b.Visitor(t).SignInForCode(t) // alice signs in and consents
//		tokens := b.Redeem(t, code)
//		…
//	})
//
// A Testbed is a provider behind a real HTTP server on a real database, with a
// clock that the test moves. A Visitor is a browser and ends at a Stop. Upstreams
// speak their protocol over real ports. Nothing sleeps and nothing is mocked.
//
// Only tests import it. It knows the provider from outside alone, so that the tests
// of every room can be told in its words.
package providertest
