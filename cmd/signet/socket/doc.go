// Package socket owns the listening sockets of the program: at a TCP address, at a unix
// socket, or passed by the service manager (socket activation). It also limits their
// connections.
//
// A unix socket belongs to one process. The file of a process that has ended is replaced, and
// a file that is anything else is never removed. Only a local program that may open the file
// can connect to a unix socket, so its peer is a proxy: see web.UnixPeer.
//
// The package does not know settings, TLS and requests.
package socket
