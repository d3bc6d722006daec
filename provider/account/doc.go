// Package account shows people what they have and lets them change it: the
// profile, the password, the sessions and the applications they have let in.
//
// Every page needs a session; without one the browser is sent to the sign-in page
// and comes back. GET only shows; POST changes, carries a ticket, and leads to a
// page of ours that says what was done. Acts that an unlocked screen must not allow
// (a new password, signing out everywhere, withdrawing from an application, connecting
// and disconnecting accounts) need a proof of who it is that is no older than five
// minutes. Each such act has a page that asks, where somebody who had to prove it first
// goes on.
//
// To add a page: a row in Routes; its type and template in the room templates, with a
// sample there whose golden file go test ./templates -update writes; an entry in
// accountPages of that room, which makes the navigation and the first page. Then
// go test ./provider -run TestRoutes_ -update writes docs/routes.md.
//
// The package does not know codes, tokens or how a request is answered.
package account
