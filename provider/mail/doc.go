// Package mail sends mails through the mail server of the operator (SMTP, RFC 5321).
//
// A connection is encrypted, or leads to this machine. Every step has a time limit. A recipient
// or a name can never add a header or a recipient: addresses have one strict form, and go-mail
// encodes the other texts. github.com/wneessen/go-mail is used for the protocol, because the
// standard library's net/smtp is frozen, gives a call no time limit, and encodes no messages.
//
// The package knows no rows, no users and no sentences: it sends the texts that it is given.
package mail
