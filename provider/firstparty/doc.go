// Package firstparty serves the first-party app: POST /login with JSON, /refresh, /logout
// and /session. The app's scripts never see a token, because the tokens are in cookies.
//
// Only pages of the app's own origins may call these endpoints, and only the session's
// cookie decides who is signed in. Each call counts as an authorization request with
// prompt=none. If the person must do something first, the pages of Signet ask for it, and
// AnswerWithCookies sets the app's cookies at the end of that sign-in.
//
// The package does not know codes, redirect URIs, consent or the ways to sign in.
package firstparty
