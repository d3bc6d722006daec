// Package session binds a browser to a signed-in subject.
//
// A session is one row and one cookie. The cookie carries a random handle and the row
// stores the hash of the handle, so a copy of the database signs nobody in. The sid claim
// is a different value: clients receive it, and it proves nothing. Every sign-in makes a
// new handle.
//
// A device is a sealed cookie that remembers the last user of this browser. It outlives
// the session and proves no identity. It only decides where a wrong password counts:
// against this browser, or against the account as a whole.
//
// A trusted browser has another cookie, with a random value of which the row has the hash. It signs
// nobody in: in that browser, the user signs in without the second factor.
//
// The state of a browser is a cookie that scripts may read. It is a hash of the sid, for OIDC
// Session Management, and signs nobody in.
//
// The tokens of the first-party app are in cookies of their own. They are removed
// together with the session's cookie.
//
// The package does not know clients, scopes or the contents of tokens.
package session
