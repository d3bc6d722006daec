// Package mailtest runs a mail server for tests. It speaks the whole protocol on a loopback
// address, keeps the mails in memory, and can refuse, hang, or break off.
//
// The package does not know who sends the mails.
package mailtest
