// Package foreign reads what others wrote: JSON, public keys, names of hosts and time zones,
// e-mail addresses and texts that people or programs have chosen.
//
// Each of them has more than one reader: a browser, a proxy, a library of a client. The
// package accepts only what all readers take for the same, and its errors say what to
// change. Every room that stores or believes such a value asks here, so that there is one
// rule for each.
//
// An error continues a sentence that begins with the value ("https://-/ has a host
// that …"). It never repeats the value: its caller knows whether that may be shown.
//
// Documents that somebody here can mend (a client's keys, the body of a request) are
// judged as a whole: ReadObject, ReadKeySet. Those of upstreams are judged by what is used of
// them: Members, UsableKeys, ReadJWS.
//
// The package does not know clients, connectors, settings or HTTP, and calls nobody.
package foreign
