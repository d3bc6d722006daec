package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// GiveToFolder gives a file to the owner and the group of its folder, if this process is root and
// root owns the file. path is the path with which the file was opened.
//
// So a command that an operator runs as root leaves no file that the server, which runs as the
// owner of the folder, cannot open. SQLite does the same with its journals. A link keeps its
// owner: the owner of the folder may have placed it there, and it may lead to a file of root.
//
// Without the capability to change owners, the file stays as it is.
func GiveToFolder(f *os.File, path string) error { return giveToFolder(int(f.Fd()), path) }

func giveToFolder(fd int, path string) error { return giveTo(fd, path, filepath.Dir(path)) }

// giveTo is GiveToFolder for a file that will be moved to another folder.
func giveTo(fd int, path, to string) error {
	if unix.Geteuid() != 0 {
		return nil
	}
	var opened, named, folder unix.Stat_t
	for _, err := range []error{unix.Fstat(fd, &opened), unix.Lstat(path, &named), unix.Stat(to, &folder)} {
		if err != nil {
			return fmt.Errorf("read the owner of %s: %w", path, err)
		}
	}
	isOnlyName := opened.Nlink == 1 && opened.Dev == named.Dev && opened.Ino == named.Ino
	if folder.Uid == 0 || opened.Uid != 0 || !isOnlyName || opened.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil
	}
	err := unix.Fchown(fd, int(folder.Uid), int(folder.Gid))
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("give %s to the owner of its folder: %w", path, err)
	}
	return nil
}
