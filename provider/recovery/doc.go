// Package recovery serves the pages with which people get back into their account: the form that
// asks for a link by mail, the page of that link, and the page of the link with which a person adds a
// passkey, which an operator hands over.
//
// A form that takes an address gives the same answer for every address, after the same calls of
// the database, so that nobody learns which addresses have an account. GET and HEAD of a link
// show a form and change nothing; POST acts. The account comes from the row of the link alone. A
// link starts no session; afterwards, the browser that asked for the link goes on with the
// authorization request in which the person forgot the password.
//
// The package does not know tokens.
package recovery
