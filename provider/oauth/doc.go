// Package oauth owns the protocol: the endpoints that applications know from OAuth 2.0
// and OpenID Connect. Each endpoint has a file; routes.go lists them with the section
// of the specification that each follows.
//
// Its rule: an endpoint reads and checks its request, asks flow for the decision and
// storage for the one transaction, and writes the answer. Nothing is redirected before
// client and redirect URI are proven.
//
// To add a grant type: give it a row in storage.GrantTypes, serve it in grants of
// token.go, and answer its new causes in the table of provider/web/answers.go. If its
// token is the client's own, tell owntoken_test.go what a request of it holds.
//
// zitadel/oidc lends the package types and constants of the protocol, and nothing else:
// its router and its storage interface are not used, since they would decide what flow
// and storage decide here. No other room knows the library.
//
// The package does not know how people prove who they are.
package oauth
