// Package passkey runs the ceremonies of WebAuthn: it makes the challenge of a page, and checks
// the answer of the browser's authenticator.
//
// A challenge is random and is sealed into the page together with its purpose, browser, request
// and user. An answer counts only for the challenge of its own page, so nothing is stored until a
// passkey has signed. Storage then spends the challenge, once on all nodes.
//
// Passkeys belong to the RP ID, which is the host of the issuer or a parent domain of it. The origin
// must be exactly that of the issuer. Attestation is not asked for, and each passkey must verify its
// user, by a PIN or a finger for example. Security keys are second factors only, and need not.
//
// The package does not know sessions, pages or HTTP.
package passkey
