package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
)

// The names of the files in the data directory: the master key, the one that a
// rewrap moves to while it is under way, and the one from before the last rewrap.
const (
	MasterKeyFile    = config.MasterKeyFile
	NextMasterFile   = "master.key.next"
	FormerMasterFile = "master.key.old"
)

// MakeDataDir makes the folder for this user alone, or checks that it is so.
func MakeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit.New(exit.Config, fmt.Errorf("make data_dir %s: %s", dir, exit.WithoutPath(err)), "make the folder yourself, or set data_dir to one that this user may write")
	}
	return checkDataDir(dir)
}

// checkDataDir checks that the folder is for this user alone.
func checkDataDir(dir string) error {
	state, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at data_dir: %w", err)
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return exit.New(exit.Config, fmt.Errorf("data_dir %s can be entered by others (mode %04o)", dir, state.Mode().Perm()), "close it with: chmod 700 "+dir)
	}
	return nil
}

// ReadPrivate reads one line from a file that nobody else may read.
func ReadPrivate(name string) (string, error) {
	state, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return "", exit.New(exit.Config, fmt.Errorf("%s can be read by others (mode %04o)", name, state.Mode().Perm()), "close it with: chmod 600 "+name)
	}
	content, err := os.ReadFile(name)
	return strings.TrimRight(string(content), "\r\n"), err
}

// KeepPrivate writes one line to a new file of mode 0600, durably and as a whole,
// and gives the line. When another process was first, its line is given: the link
// succeeds for one of them.
func KeepPrivate(name, line string) (string, error) {
	draft, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", filepath.Base(name), err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(line + "\n")
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Link(draft.Name(), name)
	}
	if errors.Is(err, os.ErrExist) {
		return ReadPrivate(name)
	}
	if err == nil {
		err = SyncFolder(filepath.Dir(name))
	}
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", filepath.Base(name), err)
	}
	return line, nil
}

// SyncFolder makes the name of a new file survive a power cut.
func SyncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
