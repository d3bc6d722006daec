// Package factor makes and checks the second factors of users: codes of authenticator apps (RFC
// 6238) and recovery codes.
//
// Attempts are counted before a code is compared, like wrong passwords. A correct code is not
// used up here: storage does that in the transaction that starts the session.
//
// The package does not know sessions, requests, pages or HTTP.
package factor
