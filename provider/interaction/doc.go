// Package interaction shows the pages of a sign-in: the sign-in form, the page that asks
// for a new proof, the account choice, the consent and the pages of a device. It also sends browsers to an upstream
// and handles their return, and has the page that makes the first administrator.
//
// Each step opens the sealed request again, stores its result as a fact of the session, and
// sends the browser to /authorize/next, where the dispatcher decides the next step. Steps
// never call each other. GET only shows; POST changes.
//
// A trip to an upstream starts in departure.go, which stores an attempt in the browser, and
// ends in callback.go. For the identity that comes back, one table decides the result:
// decideArrival in arrivaldecision.go.
//
// If a user comes back to a page that is already answered, the page asks the dispatcher's
// rule, flow.NextStep, for the next one. The package does not know codes, tokens or how a
// request is answered.
package interaction
