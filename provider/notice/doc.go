// Package notice delivers the rows of the outbox: it notifies clients that a session has
// ended (OIDC Back-Channel Logout), and sends mails to people.
//
// The transaction that ends a session also writes its notices, so neither can exist without
// the other. This package makes the logout tokens when it sends them, and repeats a notice
// until the client has answered or about a day has passed. If a node stops in between, its
// lease ends and another node sends the notice again, with the same jti.
//
// A mail is written in the transaction of the act that it tells of, and its text and its link are
// made when it is sent. It is sent at least once, with the same Message-ID at each try.
//
// It also lists the addresses that the page after a sign-out opens in iframes (OIDC Front-Channel
// Logout). Nobody knows whether a browser has opened them.
//
// The package does not know how a session ended, nor who ended it.
package notice
