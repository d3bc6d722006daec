package engine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// Workspace is a folder inside a data folder for a database that is not complete yet. Its process
// holds a lock on the folder. When the process is killed, the kernel releases the lock, and the
// next process that opens the database removes the folder: see removeAbandoned.
type Workspace struct {
	Folder string
	lock   *os.File
}

// workspaceName matches the names of workspaces. Each has 128 random bits, so no folder of an
// operator matches.
var workspaceName = regexp.MustCompile(`^(restore|backup)-[0-9a-f]{32}$`)

// replacesFile is a file in a workspace. It contains the name under which ReplaceDatabase keeps
// the former database, and exists before ReplaceDatabase moves anything.
const replacesFile = "replaces"

// NewWorkspace creates a workspace with mode 0700. purpose is restore or backup. It first removes
// the workspaces of killed processes.
func NewWorkspace(dataDir, purpose string) (*Workspace, error) {
	if err := removeAbandoned(dataDir); err != nil {
		return nil, err
	}
	for {
		var id [16]byte
		rand.Read(id[:])
		folder := filepath.Join(dataDir, purpose+"-"+hex.EncodeToString(id[:]))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, err
		}
		lock, err := lockFolder(folder, unix.LOCK_EX)
		if err == nil {
			return &Workspace{Folder: folder, lock: lock}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) { // another process took it for an abandoned folder
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
}

// Close removes the workspace with everything in it.
func (w *Workspace) Close() error {
	return errors.Join(os.RemoveAll(w.Folder), w.lock.Close())
}

// lockFolder opens and locks a folder. fs.ErrNotExist: the folder is gone.
func lockFolder(folder string, how int) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	locked, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if found, err := os.Lstat(folder); err != nil || !os.SameFile(found, locked) {
		return nil, errors.Join(fs.ErrNotExist, f.Close())
	}
	return f, nil
}

// removeAbandoned removes the workspaces of killed processes. If a process was killed while it
// replaced the database, removeAbandoned first undoes the unfinished replacement.
func removeAbandoned(dataDir string) error {
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && workspaceName.MatchString(entry.Name()) {
			if err := removeIfAbandoned(dataDir, filepath.Join(dataDir, entry.Name())); err != nil {
				return fmt.Errorf("remove the unfinished %s of a process that ended early: %w", entry.Name(), err)
			}
		}
	}
	return nil
}

func removeIfAbandoned(dataDir, folder string) error {
	lock, err := lockFolder(folder, unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EWOULDBLOCK): // gone, or in use
		return nil
	case err != nil:
		return err
	}
	defer lock.Close()
	if err := undoReplacement(dataDir, folder); err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// undoReplacement undoes the steps of ReplaceDatabase unless its last one was done, which moves
// the new database out of the workspace.
func undoReplacement(dataDir, folder string) error {
	aside, err := os.ReadFile(filepath.Join(folder, replacesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !HasDatabase(folder) {
		return err
	}
	path := DatabaseFile(dataDir)
	kept := filepath.Join(dataDir, string(aside))
	now, err := os.Lstat(path)
	old, errOld := os.Lstat(kept)
	switch {
	case errOld != nil: // not linked yet
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(kept, path)
	case err == nil && os.SameFile(now, old):
		err = os.Remove(kept)
	case err == nil:
		return nil // another file has that name
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, missing := os.Lstat(path + suffix); err == nil && errors.Is(missing, fs.ErrNotExist) {
			err = ignoreMissing(os.Rename(kept+suffix, path+suffix))
		}
	}
	return errors.Join(ignoreMissing(err), syncFile(dataDir))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// CleanFolder removes what killed processes left in the data folder, and undoes a replacement of
// the database that they did not finish. It is for processes that only open the database, so an
// error does not stop them. All functions that open a database for writing call it.
func CleanFolder(c Config) {
	if c.Database != "" || c.DataDir == "" {
		return
	}
	if err := removeAbandoned(c.DataDir); err != nil && c.Log != nil {
		c.Log.Warn("cannot clean data_dir", "error", err)
	}
}

// writePrivate writes a small file of mode 0600 durably.
func writePrivate(path, content string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}
