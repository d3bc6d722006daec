// Package outbound is the one way from this program to hosts that are not ours.
//
// It owns two clients. Foreign serves addresses that arrived by registration or
// stand in a document somebody else wrote: https only, and the address is checked
// on the connection itself, after the name was resolved, so that neither a
// redirect nor a name that resolves to another address the second time reaches
// the network this program lives in. Configured serves addresses an operator
// typed: they may be private, and http is good for loopback.
//
// Both give up after 5 s in all, refuse an answer over 1 MB instead of cutting
// it, never follow a redirect to another origin, never decompress, keep no cookies
// and take no proxy from the environment.
//
// The package does not know what is fetched, and judges no answer.
package outbound
