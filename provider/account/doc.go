// Package account shows people what they have and lets them change it: the
// profile, the password, the sessions and the applications they have let in.
//
// Every page needs a session; without one the browser is sent to the sign-in page
// and comes back. GET only shows; POST changes, carries a ticket, and leads to a
// page of ours that says what was done. What ends more than one session (a new
// password, signing out everywhere, withdrawing from an application) asks for the
// password again if it was not typed in the last five minutes.
//
// The package does not know codes, tokens or how a request is answered.
package account
