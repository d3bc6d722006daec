// Package signup serves the pages on which people make an account by a one-time link.
//
// The account is made when the link is used, never before. GET and HEAD of a link show a form and
// change nothing; POST acts. The address of the account comes from the row of the link alone. A
// refused password or name spends nothing.
//
// The package does not know tokens.
package signup
