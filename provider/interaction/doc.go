// Package interaction shows the pages of a sign-in: the sign-in form, the page that asks
// to prove anew, the account choice and the consent; and it takes people to an upstream
// and back.
//
// Each step opens the sealed request anew, writes what it found out as a fact of
// the session, and sends the browser back to /authorize/next, where the one
// dispatcher decides. Steps never call each other. GET only shows; POST changes.
//
// A trip to an upstream leaves by leave.go, which keeps an attempt in the browser, and
// comes back by callback.go. What becomes of the identity that came back is decided by
// one table, decideArrival in linking.go.
//
// Beside them stands the page that makes the first administrator.
//
// A page that people come back to asks the dispatcher's rule, flow.NextStep, whether anything
// is left to ask. The package does not know codes, tokens or how a request is answered.
package interaction
