// Package flow owns the decisions that every answer to a client needs: what comes next
// for a request (NextStep), what is left of the rights that a person gave, which claims
// a client sees, and which tokens stand for a grant.
//
// Its rule: rights only ever shrink. Each decision is made from the client as it is
// now and from the row as it is now, never from what an earlier step has found.
//
// The package does not know HTTP. It is handed parsed values and gives values back:
// endpoints, status codes and redirects belong to the rooms above it.
package flow
