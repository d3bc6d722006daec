// Package federation signs people in through upstream providers: Google, GitHub and any
// provider that speaks OpenID Connect.
//
// A Connector sends a browser to the upstream and turns the callback into an Identity. An
// Identity is a connector, an issuer and a subject. Its email address is only a hint, with
// a note on how far it can be trusted. Members of an upstream's documents that a sign-in
// uses are read strictly: if one is wrong, repeated, of another type or not signed as
// agreed, the attempt ends with one of six errors and gives no identity. Members that a
// sign-in does not use may have any value; see object for the rule.
//
// Probe makes the calls of a sign-in up to the point where a person is needed. It uses the
// same code as a sign-in, so the two cannot disagree.
//
// The package owns discovery, the upstreams' keys, the exchange of the code and the check
// of the answer. It does not know users, sessions, cookies or pages, and does not decide
// which user an identity belongs to. It stores only the upstreams' documents: an attempt is
// a value that the caller seals, hands to the browser and marks as used.
//
// Package foreign verifies signatures, not go-oidc. The verifier of go-oidc, and go-jose
// below it, decode whole documents. A malformed key that is never used, or a certificate in
// a token's header, would then end every sign-in of an upstream. The tests of foreign
// compare its result for each algorithm with that of go-jose.
//
// To add a kind of upstream, add its facts to kind.go. If it departs from OpenID
// Connect, write its quirks in a file of its own and name them in federation.go.
package federation
