// Package outbound is the only way in which this program calls other hosts.
//
// It owns two HTTP clients. Foreign is for addresses from registrations and from documents of
// other parties. It allows only https, and checks the IP address of the connection after the
// name was resolved. So neither a redirect nor a name that resolves differently the second
// time can reach the internal network. Configured is for addresses that an operator has set:
// they may be private, and loopback hosts may use http.
//
// Both end a call after 5 s in total, return an error for an answer over 1 MB instead of
// cutting it, never follow a redirect to another origin, never decompress, store no cookies,
// and use no proxy from the environment.
//
// The package does not know what is fetched, and does not check the content of answers.
package outbound
