package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/storage"
)

// Names of the files in the data directory: the master key, the next master key while a rewrap
// is under way, and the master key before the last rewrap.
const (
	MasterKeyFile    = config.MasterKeyFile
	NextMasterFile   = "master.key.next"
	FormerMasterFile = "master.key.old"
)

// MakeDataDir creates the folder with access for this user alone, or checks an existing one.
func MakeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit.New(exit.Config, fmt.Errorf("make data_dir %s: %s", dir, exit.WithoutPath(err)), "create the folder yourself, or set data_dir to a folder that this user may write to")
	}
	return checkDataDir(dir)
}

// checkDataDir checks that only this user, and the groups of this process, have access to the
// folder.
func checkDataDir(dir string) error {
	err := storage.CheckPrivate(dir)
	wrong, open := errors.AsType[*storage.OpenToOthers](err)
	switch {
	case open && !wrong.IsMine():
		return exit.New(exit.Config, errors.New(wrong.Describe("data_dir "+dir)), fmt.Sprintf("set data_dir to a folder below it, such as %s: Signet creates that folder for this user alone", filepath.Join(dir, "signet")))
	case open:
		return exit.New(exit.Config, errors.New(wrong.Describe("data_dir "+dir)), wrong.Next())
	case err != nil:
		return fmt.Errorf("read data_dir: %w", err)
	}
	return nil
}

// ReadPrivate reads one line from a file that only this user, and the groups of this process, may
// read.
func ReadPrivate(name string) (string, error) {
	err := storage.CheckPrivate(name)
	if wrong, open := errors.AsType[*storage.OpenToOthers](err); open {
		return "", exit.New(exit.Config, wrong, wrong.Next())
	}
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(name)
	return strings.TrimRight(string(content), "\r\n"), err
}

// StorePrivate writes one line to a new file of mode 0600, durably and as a whole, and returns
// the line. If another process created the file first, it returns that line: the link succeeds
// for only one of them. A process that is killed meanwhile leaves nothing.
func StorePrivate(name, line string) (string, error) {
	draft, err := newDraft(name)
	if err != nil {
		return "", fmt.Errorf("store %s: %w", filepath.Base(name), err)
	}
	defer draft.close()
	_, err = draft.WriteString(line + "\n")
	err = errors.Join(err, draft.giveToFolder(), draft.Sync())
	if err == nil {
		err = draft.link(name)
	}
	if errors.Is(err, os.ErrExist) {
		return ReadPrivate(name)
	}
	if err == nil {
		err = SyncFolder(filepath.Dir(name))
	}
	if err != nil {
		return "", fmt.Errorf("store %s: %w", filepath.Base(name), err)
	}
	return line, nil
}

// SyncFolder writes the folder to disk, so that a new file survives a power cut.
func SyncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
