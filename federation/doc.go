// Package federation signs people in through upstream providers: Google, GitHub
// and whatever speaks OpenID Connect.
//
// A Connector sends a browser away and turns what it brings back into an
// Identity. An identity is a connector, an issuer and a subject; the address that
// comes with it is a hint with a note on how far it may be believed. Members of an
// upstream's documents that a sign-in uses are read strictly: if one is wrong, doubled, of
// another type or not signed as agreed, the attempt ends with one of six errors, and never
// with half an identity. Members that a sign-in does not use may hold anything; see object
// for the rule.
//
// Probe goes the way of a sign-in as far as it leads without a person, by the same code, so
// that the two cannot disagree.
//
// The package owns discovery, the upstreams' keys, the exchange of the code and
// the check of the answer. It does not know users, sessions, cookies or pages, and
// does not decide which user an identity is. It keeps nothing but the upstreams'
// documents: an attempt is a value that the caller seals, hands to the browser and
// spends.
//
// Signatures are verified by package foreign, not by go-oidc: its verifier and go-jose below
// it decode whole documents, so that a malformed key that nobody uses, or a certificate in
// a token's header, would end every sign-in of an upstream. The tests of foreign compare its
// verdict on each algorithm with that of go-jose.
//
// To add a kind of upstream, add its facts to kind.go. If it departs from OpenID
// Connect, write its quirks in a file of its own and name them in federation.go.
package federation
