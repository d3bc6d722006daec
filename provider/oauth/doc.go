// Package oauth serves the endpoints of OAuth 2.0 and OpenID Connect. Each endpoint has a
// file. routes.go lists the endpoints, with the section of the specification that each
// one follows.
//
// Its rule: an endpoint reads and checks its request, gets the decision from flow, makes
// one transaction in storage, and writes the answer. No browser is redirected before the
// client and the redirect URI are proven.
//
// To add a grant type: give it a row in storage.GrantTypes, add its function to grants in
// token.go, and add the answers to its new causes to the table in provider/web/answers.go.
// If its token is the client's own, add the parameters of a request to owntoken_test.go.
//
// The package uses only the types and constants of zitadel/oidc. It does not use the
// router and the storage interface of that library, since they would make decisions that
// flow and storage make here. No other package imports the library.
//
// The package does not know how users prove their identity.
package oauth
