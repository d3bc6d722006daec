// Package flow owns the decisions behind every answer to a client: the next step of a request
// (NextStep), the rights that remain of a person's consent, the claims that a client sees,
// and the tokens of a grant.
//
// Its rule: rights only shrink. Each decision uses the client and the row as they are now,
// never the result of an earlier step.
//
// The package does not know HTTP. It receives parsed values and returns values. Endpoints,
// status codes and redirects belong to the rooms above it.
package flow
