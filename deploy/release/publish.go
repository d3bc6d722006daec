package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// mark is a file in each folder that publish has written, so that it never empties a folder
// with other content.
const mark = ".signet-release"

// publish moves the finished artefacts to a folder. After a complete build nothing else
// remains there. A killed build leaves the folder as it was.
func (r *release) publish(folder string, complete bool) error {
	present, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, mark)); err != nil && len(present) > 0 {
		return fmt.Errorf("%s has files of another origin: name an empty folder with -out", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, mark), nil, 0o644); err != nil {
		return err
	}
	if complete {
		for _, old := range present {
			if old.Name() == mark {
				continue
			}
			if err := os.RemoveAll(filepath.Join(folder, old.Name())); err != nil {
				return err
			}
		}
	}
	built, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	for _, file := range built {
		if err := move(filepath.Join(r.out, file.Name()), filepath.Join(folder, file.Name())); err != nil {
			return err
		}
		fmt.Fprintln(r.talk, filepath.Join(folder, file.Name()))
	}
	return nil
}

// move renames a file, or copies it to another file system.
func move(from, to string) error {
	if os.Rename(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	part := to + ".part"
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return errors.Join(os.Rename(part, to), os.Remove(from))
}
