package engine

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lockPatience is how long a writer waits for another process.
const lockPatience = 5 * time.Second

// fileLock is flock(LOCK_EX) on a file of its own, held around each write batch.
// SQLite's own busy wait polls, so a process that writes all the time starves
// the others; the kernel queues those who wait for a flock.
type fileLock struct {
	fd       int
	patience time.Duration // how long acquire waits

	mu      sync.Mutex
	waiting chan error // an flock call that outlived its caller, nil for none
}

func openFileLock(path string) (*fileLock, error) {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := unix.Fchmod(fd, 0o600); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("close %s to others: %w", path, err)
	}
	return &fileLock{fd: fd, patience: lockPatience}, nil
}

// acquire takes the lock or gives up with ErrUnavailable. A caller at a time.
func (l *fileLock) acquire() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		if err := flock(l.fd, unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			return err
		}
		// flock knows no time limit: the call waits in a goroutine, and one that
		// outlives its caller serves the next.
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

// close gives up the lock and the file, the latter once no call waits on it.
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
