// Package signup serves the pages on which people make an account: the form that asks for a link
// by mail, and the page of a one-time link.
//
// The account is made when the link is used, never before. The form takes an address and gives
// the same answer for every address, after the same calls of the database, so that nobody learns
// which addresses have an account. GET and HEAD of a link show a form and change nothing; POST
// acts. The address of the account comes from the row of the link alone. A refused password or
// name spends nothing.
//
// A link signs in only the browser that asked for it, which is known by its device's cookie.
// Otherwise a person could forward a link, and so sign another person in to an account of theirs.
//
// The package does not know tokens.
package signup
