package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"signet/storage"
)

// withPaths gives a value with every relative path in it replaced by what absolute makes
// of it.
type withPaths func(value string, absolute func(path string) string) string

// wholePath is for a value that is one path.
func wholePath(value string, absolute func(string) string) string { return absolute(value) }

// located gives the value of an option with absolute paths: a relative one that stands in
// a settings file is relative to the folder of that file, under the name that the file
// was asked for by (a link's folder, not its target's); every other is relative to the
// working directory. False: it has said that the path meant another place before.
func (v *values[T]) located(o option[T], where Place, value string) (text string, ok bool) {
	if o.paths == nil {
		return value, true
	}
	return v.in.locate(where, v.prefix+o.key, value, o.paths, o.folder)
}

// locate is located for the value of that key.
func (r *Reading) locate(where Place, key, value string, paths withPaths, folder bool) (text string, ok bool) {
	ok = true
	return paths(value, func(path string) string {
		now, before := absolutePath(where.folder(), path), absolutePath("", path)
		if now != before && !folder && missing(now) && !missing(before) {
			ok = false
			r.complain(where, key, "is relative to the folder of this file: there is no %s, but there is %s, in the working directory: write that path, or move what it names", now, before)
		}
		return now
	}), ok
}

// folder is the base of relative paths that stand at the place; "" for the working
// directory.
func (p Place) folder() string {
	if p.Source != fromFile {
		return ""
	}
	return filepath.Dir(p.Name)
}

// absolutePath puts folder before a relative path. Without a working directory, since it
// was removed, a path stays as it is.
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

// missing reports whether there is nothing of that name. A path that this user
// may not look at is not missing.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// MasterKeyFile is the file of the data directory that holds the master key.
const MasterKeyFile = "master.key"

// compareDataDir refuses a data_dir of the file that names an unused folder beside the
// file, while the folder of that name in the working directory, which it meant in
// releases before, holds the data of a server: the start would make a new database without
// the users. A database alone is no proof of a server, since commands that only read made
// one too, unless the master key is elsewhere.
func (r *Reading) compareDataDir() {
	g := r.process.given["data_dir"]
	if g.Source != fromFile || filepath.IsAbs(g.written) || g.written == "" {
		return
	}
	now, before := r.Config.DataDir, absolutePath("", g.written)
	used := func(dir string) bool {
		return !missing(filepath.Join(dir, MasterKeyFile)) || r.process.has("master_key") && !missing(storage.DatabaseFile(dir))
	}
	if now != before && !used(now) && used(before) {
		r.complain(g.Place, "data_dir", "is relative to the folder of this file: it names %s, which no server has used, but before this release it named %s, in the working directory, which one has: write data_dir: %s, or the whole path of another folder", now, before, before)
	}
}
