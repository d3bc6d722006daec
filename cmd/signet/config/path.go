package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"signet/cmd/signet/socket"
	"signet/storage"
)

// withPaths returns a value in which each path is replaced by the result of absolute.
type withPaths func(value string, absolute func(path string) string) string

// wholePath is the withPaths function of a value that is one path.
func wholePath(value string, absolute func(string) string) string { return absolute(value) }

// pathOfSocket is the withPaths function of an address to listen on.
func pathOfSocket(value string, absolute func(string) string) string {
	path, is := socket.UnixPath(value)
	if !is || strings.HasPrefix(path, "@") {
		return value
	}
	return socket.UnixAddress(absolute(path))
}

// resolvePaths returns the value of an option with absolute paths. A relative path in a
// settings file is relative to the folder of that file. If the file is a symbolic link, the
// folder of the link counts, not that of its target. Other relative paths are relative to the
// working directory.
//
// It returns false after it has added a mistake, because the path meant another place in
// earlier releases.
func (v *values[T]) resolvePaths(o option[T], where Place, value string) (text string, ok bool) {
	if o.paths == nil {
		return value, true
	}
	return v.reading.resolvePathsOf(where, v.prefix+o.key, value, o.paths, o.folder)
}

// resolvePathsOf resolves the paths in the value of key; see resolvePaths.
func (r *Reading) resolvePathsOf(where Place, key, value string, paths withPaths, folder bool) (text string, ok bool) {
	ok = true
	return paths(value, func(path string) string {
		now, before := absolutePath(where.folder(), path), absolutePath("", path)
		if now != before && !folder && missing(now) && !missing(before) {
			ok = false
			r.addMistakeAt(where, key, "is relative to the folder of this file: %s does not exist, but %s in the working directory does: use that path, or move the file", now, before)
		}
		return now
	}), ok
}

// folder returns the base of relative paths at this place; "" for the working directory.
func (p Place) folder() string {
	if p.Source != fromFile {
		return ""
	}
	return filepath.Dir(p.Name)
}

// absolutePath returns the absolute path of a path relative to folder. If the working directory
// was removed, the path stays relative.
func absolutePath(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	joined := filepath.Join(folder, path)
	if absolute, err := filepath.Abs(joined); err == nil {
		return absolute
	}
	return joined
}

// missing reports whether no file or folder exists at path. A path that this user cannot read
// is not missing.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// MasterKeyFile is the name of the file in the data directory that contains the master key.
const MasterKeyFile = "master.key"

// compareDataDir checks a relative data_dir in the settings file. In earlier releases it was
// relative to the working directory; now it is relative to the file. If only the old folder
// contains the data of a server, a start would create a new database without the users, so
// this is a mistake.
//
// A folder was used by a server if it contains the master key. A database alone is not enough,
// because earlier releases created one for commands that only read. If the setting master_key
// is set, there is no key file, and the database is enough.
func (r *Reading) compareDataDir() {
	g := r.process.given["data_dir"]
	if g.Source != fromFile || filepath.IsAbs(g.written) || g.written == "" {
		return
	}
	now, before := r.Config.DataDir, absolutePath("", g.written)
	usedByServer := func(dir string) bool {
		return !missing(filepath.Join(dir, MasterKeyFile)) || r.process.has("master_key") && !missing(storage.DatabaseFile(dir))
	}
	if now != before && !usedByServer(now) && usedByServer(before) {
		r.addMistakeAt(g.Place, "data_dir", "is relative to the folder of this file: it names %s, which no server has used; in earlier releases it named %s in the working directory, which a server has used: write data_dir: %s, or the absolute path of another folder", now, before, before)
	}
}
