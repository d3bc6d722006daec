// Package example tests first-party apps by the example that the repository has: the app
// in Chromium, its APIs in Go and in Node, and its development beside `signet dev`.
//
// It owns tests alone. It does not know the endpoints, which provider/firstparty tests.
package example
