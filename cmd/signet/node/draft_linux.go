package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"signet/storage"
)

// newDraft creates a draft of mode 0600 without a name, so that the kernel deletes it if the
// process is killed. Some file systems do not support this; there the draft has a temporary name.
func newDraft(name string) (*draft, error) {
	fd, err := unix.Open(filepath.Dir(name), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return newNamedDraft(name)
	}
	return &draft{os.NewFile(uintptr(fd), name), ""}, nil
}

// link gives the draft its name. os.ErrExist: a file of that name exists.
func (d *draft) link(name string) error {
	if d.temporary != "" {
		return os.Link(d.temporary, name)
	}
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", d.Fd()), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	if err == unix.ENOENT { // /proc is not mounted
		err = unix.Linkat(int(d.Fd()), "", unix.AT_FDCWD, name, unix.AT_EMPTY_PATH)
	}
	if err != nil {
		return &os.LinkError{Op: "link", Old: "draft", New: name, Err: err}
	}
	return nil
}

// giveToFolder gives the draft of root to the owner of its folder: see storage.GiveToFolder.
func (d *draft) giveToFolder() error {
	if d.temporary != "" {
		return storage.GiveToFolder(d.File, d.temporary)
	}
	if unix.Geteuid() != 0 {
		return nil
	}
	var folder unix.Stat_t
	if err := unix.Stat(filepath.Dir(d.Name()), &folder); err != nil || folder.Uid == 0 {
		return err
	}
	// The draft has no name, so nobody else can have chosen the file.
	err := unix.Fchown(int(d.Fd()), int(folder.Uid), int(folder.Gid))
	if err == unix.EPERM || err == unix.EINVAL { // without the capability to change owners
		return nil
	}
	return err
}
