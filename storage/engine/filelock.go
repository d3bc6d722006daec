package engine

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lockPatience is how long a writer waits for another process.
const lockPatience = 5 * time.Second

// fileLock is flock(LOCK_EX) on a separate file. A process holds it while it writes a batch.
// SQLite's own busy wait polls, so a process that writes constantly would starve the others. The
// kernel serves processes that wait for flock in order.
type fileLock struct {
	fd       int
	patience time.Duration // how long acquire waits

	mu      sync.Mutex
	waiting chan error // result of an flock call that outlived its caller; nil: none
}

func openFileLock(path string) (*fileLock, error) {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := closeToOthers(path); err != nil {
		unix.Close(fd)
		return nil, err
	}
	if err := giveToFolder(fd, path); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &fileLock{fd: fd, patience: lockPatience}, nil
}

// acquire takes the lock, or returns ErrUnavailable after patience. Calls run one after another.
func (l *fileLock) acquire() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		if err := flock(l.fd, unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			return err
		}
		// flock has no timeout, so the call waits in a goroutine. If it outlives its caller, the
		// next caller uses its result.
		l.waiting = make(chan error, 1)
		go func(got chan<- error) { got <- flock(l.fd, unix.LOCK_EX) }(l.waiting)
	}
	limit := time.NewTimer(l.patience)
	defer limit.Stop()
	select {
	case err := <-l.waiting:
		l.waiting = nil
		return err
	case <-limit.C:
		return fmt.Errorf("another process has been writing for %s: %w", l.patience, ErrUnavailable)
	}
}

func (l *fileLock) release() error { return flock(l.fd, unix.LOCK_UN) }

// close releases the lock and closes the file. If an flock call still waits, the file is closed
// after that call.
func (l *fileLock) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting != nil {
		go func(got <-chan error) {
			<-got
			unix.Close(l.fd)
		}(l.waiting)
		return nil
	}
	return unix.Close(l.fd)
}

func flock(fd, how int) error {
	for {
		err := unix.Flock(fd, how)
		if err != unix.EINTR {
			return err
		}
	}
}
