// Package notice delivers what is in the outbox: it tells clients that a session of
// theirs has ended (OIDC Back-Channel Logout).
//
// The rows are written by the transaction that ends the session, so there is no end
// without its notices and no notice without the end. Here they become logout tokens,
// made when they are sent, and are sent until the client has answered or a day is
// over. A node that dies in between loses nothing: its lease ends and another node
// sends again, with the same jti.
//
// The package does not know how a session ended, nor by whom.
package notice
