package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// OpenToOthers is the error about a file or folder that users other than this one have access to.
type OpenToOthers struct {
	Path   string
	Folder bool
	Mode   fs.FileMode // its permission bits
	Group  int         // the group that has access although this process is not in it; -1: the bits for others
	owner  int         // user id
	shared bool        // the group of the file is one of this process
}

func (e *OpenToOthers) Error() string { return e.Describe(e.Path) }

// Describe returns the text of the error with another name of the file.
func (e *OpenToOthers) Describe(name string) string {
	verb := "can read"
	if e.Folder {
		verb = "have access to"
	}
	if e.Group >= 0 {
		return fmt.Sprintf("the users of group %d, which is not a group of this process, %s %s (mode %04o)", e.Group, verb, name, e.Mode)
	}
	return fmt.Sprintf("other users %s %s (mode %04o)", verb, name, e.Mode)
}

// IsMine reports whether this process may change the mode: it is the owner or root.
func (e *OpenToOthers) IsMine() bool {
	me := os.Geteuid()
	return me == 0 || e.owner == me
}

// Next returns the command that closes the file to others. It keeps the access of this process.
func (e *OpenToOthers) Next() string {
	mode := e.closed()
	switch {
	case e.IsMine():
		return fmt.Sprintf("run: chmod %o %s", mode, e.Path)
	case e.shared:
		return fmt.Sprintf("as its owner, run: chmod %o %s", mode, e.Path)
	}
	mode |= mode & 0o500 >> 3 // this process reads the file as a member of its group
	return fmt.Sprintf("as its owner, run: chgrp %d %s && chmod %o %[2]s", os.Getegid(), e.Path, mode)
}

// closed returns the mode without the access of others. The access of a group stays if this
// process needs it, or if members may write: nobody gets that by accident, but an fsGroup does.
func (e *OpenToOthers) closed() fs.FileMode {
	if e.shared && (e.Mode&0o020 != 0 || !e.IsMine()) {
		return e.Mode &^ 0o007
	}
	return e.Mode &^ 0o077
}

// CheckPrivate checks that only this user, and the groups of this process, have access to a file
// or folder. It is the one rule for every file that holds a secret. It follows symbolic links.
//
// Kubernetes makes the files of a volume with an fsGroup belong to that group, with access for it,
// and the processes of the Pod are in the group. The access of a group is therefore allowed if
// this process is in the group.
//
// The error is *OpenToOthers, or the one of os.Stat.
func CheckPrivate(path string) error {
	state, err := os.Stat(path)
	if err != nil {
		return err
	}
	return checkMode(path, state)
}

// openBits are the bits of a folder at which Kubernetes mounts a volume, apart from those of the
// owner and the group.
const openBits = 0o005

func checkMode(path string, state fs.FileInfo) error {
	owner, group := ownerOf(state)
	wrong := &OpenToOthers{Path: path, Folder: state.IsDir(), Mode: state.Mode().Perm(), Group: -1, owner: owner, shared: inGroup(group)}
	others, members := wrong.Mode&0o007, wrong.Mode&0o070
	// The top folder of a volume with an fsGroup belongs to root and usually has mode 2775. This
	// process may not change that, and a chmod would only last until the next mount. Others can
	// list such a folder, but cannot write to it; the files have modes of their own.
	mountPoint := wrong.Folder && owner == 0 && wrong.shared && state.Mode()&fs.ModeSetgid != 0
	switch {
	case others != 0 && !(mountPoint && others&^openBits == 0):
		return wrong
	case members != 0 && !wrong.shared:
		wrong.Group = group
		return wrong
	}
	return nil
}

// inGroup reports whether this process is in the group.
func inGroup(group int) bool {
	if group == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	return err == nil && slices.Contains(groups, group)
}

func ownerOf(state fs.FileInfo) (owner, group int) {
	if sys, ok := state.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid), int(sys.Gid)
	}
	return -1, -1
}

// closeToOthers removes the access of others from a file, if they have any. Only the owner of a
// file may do that: for another user the error names the command to run.
func closeToOthers(path string) error {
	wrong, open := errors.AsType[*OpenToOthers](CheckPrivate(path))
	if !open {
		return nil // a missing file too: SQLite has not created it yet
	}
	if err := os.Chmod(path, wrong.closed()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", wrong, wrong.Next())
	}
	return nil
}
