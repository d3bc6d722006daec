// Package link makes and opens the one-time links that mails contain.
//
// A link is a sealed message with the name of its row. The row alone opens nothing, because only
// a node with the keys of the instance can seal; so no reader of the database, a backup, an event
// or a log can use a link. A link is made when its mail is sent, and again at each try.
//
// GET and HEAD of a link only read it. Its POST spends it, in the transaction of its act: mail
// scanners fetch links, and must not use them up.
//
// The package does not know the pages and the acts of the links.
package link
