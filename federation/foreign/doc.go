// Package foreign reads data from other parties: JSON, public keys, names of hosts and time
// zones, email addresses, and texts that people or programs have chosen.
//
// Several programs read such data: a browser, a proxy, a library of a client. The package
// accepts only data that all of them read in the same way. All other packages use it for
// these values, so that there is one rule for each.
//
// Its errors say how to correct the value. An error continues a sentence that begins with the
// value ("https://-/ has a host that …"). It never contains the value: the caller knows
// whether the value may be shown.
//
// ReadObject and ReadKeySet check a whole document. They are for documents that a person here
// can correct, such as a client's keys or the body of a request. ReadMembers, UsableKeys and
// ReadJWS check only the parts that are used. They are for documents of upstreams.
//
// The package does not know clients, connectors, settings or HTTP, and makes no network call.
package foreign
