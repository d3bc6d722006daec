// Package request owns the authorization request on its way through the browser.
//
// A validated request becomes a sealed message that the browser carries as
// request=…. So nothing is stored before sign-in, and any node can serve the next step.
// The message has a random id, never changes and is valid for 30 minutes. It proves
// nothing: the dispatcher sends a code only to a browser with a session that satisfies the
// request. Every step opens the message again and checks the client and its redirect URI
// (for the first-party app: its return address), so a client that was disabled or changed
// in between is refused.
//
// The package does not know sessions, pages or tokens.
package request
