// Package firstparty serves the app whose pages live on Signet's cookies and never see
// a token: POST /login with JSON, /refresh, /logout and /session.
//
// Its rule: only pages of the app's own origins may call it, and the session cookie
// alone decides. Each call stands for an authorization request with prompt=none;
// whatever has to be asked is left to the pages, and AnswerWithCookies gives the cookies at
// the end of a sign-in there.
//
// The package does not know codes, redirect URIs, consent or how a person proves who
// they are.
package firstparty
