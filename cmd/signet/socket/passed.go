package socket

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"signet/cmd/signet/exit"
)

// Passed returns the listeners that the service manager has opened for this process
// (LISTEN_PID, LISTEN_FDS); none if it has opened none. The service manager keeps the sockets
// open over a restart, so that no connection is refused, and owns their files. Call it once:
// it takes the variables out of the environment.
func Passed() ([]net.Listener, error) {
	var listeners []net.Listener
	for _, file := range activation.Files(true) {
		listener, err := listenerOf(file)
		if err != nil {
			for _, opened := range listeners {
				_ = opened.Close()
			}
			return nil, exit.New(exit.Failure, fmt.Errorf("cannot use the socket %s of the service manager: %w", file.Name(), err),
				"use only ListenStream= and Accept=no in the socket unit")
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

func listenerOf(file *os.File) (net.Listener, error) {
	defer file.Close()
	listening, err := unix.GetsockoptInt(int(file.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, err
	}
	if listening == 0 {
		return nil, errors.New("it does not listen")
	}
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	if at, is := listener.(*net.UnixListener); is {
		return &unixListener{UnixListener: at, path: at.Addr().String()}, nil
	}
	return listener, nil
}
