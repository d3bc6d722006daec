package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"signet/cmd/signet/exit"
)

// Listen listens on the address. It is called before anything else is opened, so that the most
// common error of a start leaves no files behind.
func Listen(ctx context.Context, address string) (net.Listener, error) {
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
	cause := err
	var operation *net.OpError
	if errors.As(err, &operation) {
		cause = operation.Err
	}
	return nil, exit.New(exit.Failure, fmt.Errorf("cannot listen on %s: %w", address, cause), next)
}
