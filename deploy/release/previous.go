package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// errFirst is returned if no version came before.
var errFirst = errors.New("no version comes before this one: its history has no other content of VERSION")

// previousCommit returns the commit that released the version before that of HEAD, and that
// version: a release is the commit that changes VERSION.
func previousCommit(ctx context.Context, root string) (commit, version string, err error) {
	if shallow, err := git(ctx, root, "rev-parse", "--is-shallow-repository"); err != nil {
		return "", "", err
	} else if shallow == "true" {
		return "", "", errShallow
	}
	current, err := git(ctx, root, "show", "HEAD:VERSION")
	if err != nil {
		return "", "", err
	}
	changes, err := git(ctx, root, "log", "--format=%H", "--", "VERSION")
	if err != nil {
		return "", "", err
	}
	for _, commit := range strings.Fields(changes) { // newest first
		version, err := git(ctx, root, "show", commit+":VERSION")
		if err != nil {
			continue // the commit removed the file
		}
		if version = strings.TrimSpace(version); version != strings.TrimSpace(current) {
			return commit, version, nil
		}
	}
	return "", "", errFirst
}

// buildPrevious builds the program of the version before this one for this machine, as a file
// at to. It returns that version.
func buildPrevious(ctx context.Context, folder, to string, t target, talk io.Writer) (version string, err error) {
	root, err := git(ctx, folder, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	commit, version, err := previousCommit(ctx, root)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "signet-previous-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	clone := filepath.Join(work, "clone")
	if _, err := git(ctx, root, "clone", "-q", "--no-checkout", "--shared", root, clone); err != nil {
		return "", err
	}
	if _, err := git(ctx, clone, "checkout", "-q", "--detach", commit); err != nil {
		return "", err
	}
	r, err := open(ctx, clone, false)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	r.talk = talk
	program, err := r.program(ctx, t)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	// Linker flags that the older program does not know have no effect.
	if err := move(program, to); err != nil {
		return "", err
	}
	if err := os.Chmod(to, 0o755); err != nil {
		return "", err
	}
	return version, nil
}
