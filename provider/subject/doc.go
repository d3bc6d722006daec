// Package subject decides under which subject (sub) a client sees a user.
//
// It has the one rule for every sub that leaves this program: in ID tokens, access tokens,
// refresh tokens, logout tokens, at userinfo and introspection. A client with pairwise subjects
// gets one of its sector (OIDC Core, section 8.1); every other client gets the public subject of
// the user. A sub that a client sends back is never compared with the ID of a user: it is made
// again and compared with that.
//
// The package does not know requests, tokens or HTTP, nor how a sector is chosen.
package subject
