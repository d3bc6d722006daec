// Package example tests first-party apps with the app of examples/react-app: the app in
// Chromium, its APIs in Go and in Node, and its development beside `signet dev`.
//
// It contains only tests. It does not know the endpoints, which provider/firstparty tests.
package example
