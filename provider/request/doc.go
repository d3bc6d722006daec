// Package request owns the authorization request on its way through the browser.
//
// A validated request becomes a sealed message that the browser carries as
// request=…: nothing is stored for a stranger, and any node can take the next
// step. It has a random id, never changes, lives 30 minutes and proves nothing: a
// code goes only to the browser whose session meets it at the dispatcher. Every
// step opens it anew and reads client and redirect URI again (or, for the first-party
// app, where it may return to), so that what was withdrawn in between is refused.
//
// The package does not know sessions, pages or tokens.
package request
