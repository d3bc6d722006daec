// Package address serves the pages of the mailed links that prove the email address of an account.
//
// GET and HEAD of a link show a page and change nothing; POST acts. The account and the address
// come from the row of the link alone. Whether something is deleted depends on the session of the
// browser, so the page says it before: in the user's own session nothing is, without a session the
// first proof of an address deletes everything that was set up before.
//
// The package does not know clients and tokens.
package address
