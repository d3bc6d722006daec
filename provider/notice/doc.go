// Package notice delivers the notices in the outbox: it notifies clients that a session has
// ended (OIDC Back-Channel Logout).
//
// The transaction that ends a session also writes its notices, so neither can exist without
// the other. This package makes the logout tokens when it sends them, and repeats a notice
// until the client has answered or about a day has passed. If a node stops in between, its
// lease ends and another node sends the notice again, with the same jti.
//
// The package does not know how a session ended, nor who ended it.
package notice
