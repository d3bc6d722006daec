// Package address serves the pages of the mailed links that prove or change the email address of
// an account, or undo a change.
//
// GET and HEAD of a link show a page and change nothing; POST acts. The account and the address
// come from the row of the link alone. Whether something is deleted depends on the session of the
// browser, so the page says it before: in the user's own session nothing is, without a session the
// first proof of an address deletes everything that was set up before. A change needs the user's
// own session; an undo needs none and starts none.
//
// The package does not know clients and tokens.
package address
