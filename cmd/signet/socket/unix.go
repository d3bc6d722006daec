package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"signet/cmd/signet/exit"
)

const (
	lockFor  = 5 * time.Second // that a start waits for another start in the same folder
	lockPoll = 20 * time.Millisecond
	askFor   = 5 * time.Second // that a start waits for the program at a socket
)

// unixListener listens at a unix socket. Its Close removes the file.
type unixListener struct {
	*net.UnixListener
	path  string
	made  fs.FileInfo // the file that this process has made; nil if another program owns it
	close sync.Once
}

// listenUnix listens at the path. It replaces the socket of a process that has ended.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	address := UnixAddress(path)
	unlock, err := lockFolder(ctx, path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeEnded(ctx, path); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	opened, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, cannotListen(address, err, nextForFolder(path, err))
	}
	listener := &unixListener{UnixListener: opened.(*net.UnixListener), path: path}
	listener.SetUnlinkOnClose(false)
	// The program creates files for its own user alone, so until here nobody else can connect.
	err = os.Chmod(path, mode)
	if err == nil {
		listener.made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(cannotListen(address, err, nextForFolder(path, err)), listener.Close())
	}
	return listener, nil
}

// Accept waits for the next connection.
func (l *unixListener) Accept() (net.Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return unixConn{conn}, nil
}

// Close removes the file and ends the listener. It does not remove a file that another process
// has put there. A file that stays is replaced by the next start.
func (l *unixListener) Close() error {
	l.close.Do(func() {
		if l.made == nil {
			return
		}
		unlock, err := lockFolder(context.Background(), l.path)
		if err != nil {
			return
		}
		defer unlock()
		// The file that is open here keeps its number, so no other file can have it.
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
			_ = os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}

// lockFolder locks the folder of the path against other processes of Signet. Without it, two
// starts could each find the socket of an ended process, and the second remove that of the
// first.
func lockFolder(ctx context.Context, path string) (unlock func(), err error) {
	name := filepath.Dir(path)
	folder, err := os.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, cannotListen(UnixAddress(path), errors.New(name+": "+exit.WithoutPath(err)), nextForFolder(path, err))
	}
	late := time.After(lockFor)
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = folder.Close() }, nil
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			_ = folder.Close()
			return nil, ctx.Err()
		case <-late:
			_ = folder.Close()
			return nil, cannotListen(UnixAddress(path), fmt.Errorf("lock %s: %w", name, err), "another program holds a lock on this folder: use a folder for Signet alone")
		}
	}
}

// CheckPlace returns an error if no socket can be made at the path: there is another file, or
// this user may not write to the folder. It creates nothing and connects to nothing.
func CheckPlace(path string) error {
	if state, err := os.Lstat(path); err == nil {
		return checkKind(path, state)
	}
	folder := filepath.Dir(path)
	state, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("is in the folder %s, which does not exist: %s", folder, nextForFolder(path, err))
	case err != nil:
		return fmt.Errorf("is in the folder %s, which cannot be used (%s)", folder, exit.WithoutPath(err))
	case !state.IsDir():
		return fmt.Errorf("is below %s, which is not a folder", folder)
	case unix.Access(folder, unix.W_OK|unix.X_OK|unix.R_OK) != nil:
		return fmt.Errorf("is in the folder %s, which this user may not use: %s", folder, nextForFolder(path, fs.ErrPermission))
	}
	return nil
}

// removeEnded removes the socket of a process that has ended.
func removeEnded(ctx context.Context, path string) error {
	address := UnixAddress(path)
	state, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return cannotListen(address, errors.New(exit.WithoutPath(err)), nextForFolder(path, err))
	}
	if err := checkKind(path, state); err != nil {
		return exit.New(exit.Config, fmt.Errorf("the setting listen %w", err), "correct it, then start again")
	}
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	peer, err := Dial(asking, address)
	switch {
	case err == nil:
		_ = peer.Close()
		return cannotListen(address, syscall.EADDRINUSE, "another program is listening there: end it, or choose another path with --listen unix:PATH")
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return cannotListen(address, err, "there is a socket that may be in use: end the program that owns it and remove the file, or choose another path with --listen unix:PATH")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannotListen(address, errors.New("remove the socket of a process that has ended: "+exit.WithoutPath(err)), nextForFolder(path, err))
	}
	return nil
}

// checkKind returns an error if the file at the path is not a socket.
func checkKind(path string, state fs.FileInfo) error {
	kind := "a file"
	switch mode := state.Mode(); {
	case mode.Type() == fs.ModeSocket:
		return nil
	case mode.IsDir():
		kind = "a folder"
	case mode.Type() == fs.ModeSymlink:
		kind = "a symbolic link"
	}
	return fmt.Errorf("names %s, which is %s and not a socket: remove it, or choose another path", path, kind)
}

// nextForFolder returns the next step after an error about the folder of the path.
func nextForFolder(path string, err error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "create it for the user of Signet (systemd does with RuntimeDirectory=), or choose another path with --listen unix:PATH"
	case errors.Is(err, fs.ErrPermission):
		return "let this user read and write " + folder + ", or choose another path with --listen unix:PATH"
	}
	return "choose another path with --listen unix:PATH or SIGNET_LISTEN"
}
