package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"signet/provider/web"
)

// unixPrefix begins the address of a unix socket. Other addresses are a host and a port.
const unixPrefix = "unix:"

// maxPath is the length of the longest path of a unix socket: the system stores it with a zero
// byte at its end.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// UnixPath returns the path in the address of a unix socket, and reports whether the address is
// one.
func UnixPath(address string) (path string, is bool) { return strings.CutPrefix(address, unixPrefix) }

// UnixAddress returns the address of the unix socket at the path.
func UnixAddress(path string) string { return unixPrefix + path }

// CheckPath returns an error if no unix socket can be at the path.
func CheckPath(path string) error {
	switch {
	case path == "":
		return errors.New("names no path: write unix: and then the path of the socket")
	case strings.HasPrefix(path, "@"):
		return fmt.Errorf("names the abstract socket %q, which every user of this machine could open: use the path of a file", path)
	case strings.ContainsRune(path, 0):
		return errors.New("names a path with a zero byte")
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("names the folder %s: add the name of the socket", path)
	case len(path) > maxPath:
		return fmt.Errorf("names a path of %d bytes, and the path of a socket has at most %d: choose a shorter one", len(path), maxPath)
	}
	return nil
}

// AddressOf returns the address of a listener, in the form of the setting listen.
func AddressOf(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return UnixAddress(l.Addr().String())
	}
	return l.Addr().String()
}

// Reaches reports whether the address, as the setting listen has it, leads to one of the
// addresses: the port is the same, or the path. It does not compare hosts, since a name and an
// address may be the same host.
func Reaches(listen string, addresses []string) bool {
	_, port, err := net.SplitHostPort(listen)
	return slices.ContainsFunc(addresses, func(address string) bool {
		if _, is := UnixPath(address); is {
			return listen == address
		}
		_, at, wrong := net.SplitHostPort(address)
		return err == nil && wrong == nil && port == at
	})
}

// Dial connects to a server on this machine that listens at the address.
func Dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	if path, is := UnixPath(address); is {
		return dialer.DialContext(ctx, "unix", path)
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// unixConn is a connection to a unix socket. Its peer has no address of its own; without the
// fixed name, a program could choose one.
type unixConn struct{ *net.UnixConn }

// RemoteAddr returns the name of all peers at unix sockets.
func (c unixConn) RemoteAddr() net.Addr {
	return &net.UnixAddr{Name: web.UnixPeer, Net: "unix"}
}
