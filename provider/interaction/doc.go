// Package interaction shows the pages of a sign-in: the sign-in form, the account
// choice and the consent.
//
// Each step opens the sealed request anew, writes what it found out as a fact of
// the session, and sends the browser back to /authorize/next, where the one
// dispatcher decides. Steps never call each other. GET only shows; POST changes.
//
// Beside them stands the page that makes the first administrator.
//
// The package does not know codes, tokens or how a request is answered.
package interaction
