package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"signet/cmd/signet/exit"
)

// Listen listens on the address: a host and a port, or unix: and a path. A new unix socket has
// the mode. Listen is called before anything else is opened, so that the most common error of
// a start leaves no files behind.
func Listen(ctx context.Context, address string, mode fs.FileMode) (net.Listener, error) {
	if path, is := UnixPath(address); is {
		return listenUnix(ctx, path, mode)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	next := "choose another address with --listen HOST:PORT or SIGNET_LISTEN"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = "another program is listening there: end it, or choose another port with --listen HOST:PORT"
	case errors.Is(err, syscall.EACCES):
		next = "ports below 1024 need a privilege: choose another with --listen HOST:PORT, or grant CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		next = "this machine has no such address: choose one it has with --listen HOST:PORT"
	}
	return nil, cannotListen(address, err, next)
}

// cannotListen is the error for an address, with the cause and the next step.
func cannotListen(address string, cause error, next string) error {
	var operation *net.OpError
	if errors.As(cause, &operation) {
		cause = operation.Err
	}
	return exit.New(exit.Failure, fmt.Errorf("cannot listen on %s: %w", address, cause), next)
}
