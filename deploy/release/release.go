package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// release is one version of Signet while its artefacts are built.
type release struct {
	version string    // like 0.2.0, from the file VERSION
	commit  string    // its full hash
	date    time.Time // of the commit, in UTC; the only time that artefacts contain
	exact   bool      // the commit is the one that set VERSION, and every file is committed
	dirty   bool      // files are not committed
	root    string    // the clone
	source  string    // a copy of the files of the commit, without ignored files
	work    string    // temporary files; close removes it
	out     string    // the folder of finished artefacts, until publish moves them
	talk    io.Writer

	key     string // of ssh-keygen, signs the sums; "" leaves them without a signature
	contact string // the address for reports of vulnerabilities; "" leaves out security.txt
	debian  string // a file of apt with the sources of the packages in images; "" for debianSources

	mu       sync.Mutex
	programs map[target]string
	listed   map[target]map[string]folder
	packages map[string]debianPackage
	apt      func(folder string, args ...string) *exec.Cmd // nil until the lists of packages are read
}

// open reads the version of the clone that contains the folder clone and copies its files. It refuses
// files that are not committed, unless dirty allows them, and a clone without history.
func open(ctx context.Context, clone string, dirty bool) (*release, error) {
	// Programs such as npm pack files with the modes that the umask of the builder gave them.
	syscall.Umask(0o022)
	r := &release{talk: io.Discard, programs: map[target]string{}, listed: map[target]map[string]folder{}, packages: map[string]debianPackage{}}
	var err error
	if r.root, err = git(ctx, clone, "rev-parse", "--show-toplevel"); err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(r.root, "VERSION"))
	if err != nil {
		return nil, fmt.Errorf("read the version: %w", err)
	}
	if r.version = strings.TrimSpace(string(version)); !isVersion.MatchString(r.version) {
		return nil, fmt.Errorf("VERSION contains %q: write three numbers like 0.2.0", r.version)
	}
	changes, err := git(ctx, r.root, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if r.dirty = changes != ""; r.dirty && !dirty {
		return nil, fmt.Errorf("these files are not committed:\n%s\ncommit them, or pass -dirty to try out a build", changes)
	}
	if err := r.readCommit(ctx); err != nil {
		return nil, err
	}
	if r.work, err = os.MkdirTemp("", "signet-release-"); err != nil {
		return nil, err
	}
	r.source, r.out = filepath.Join(r.work, "source"), filepath.Join(r.work, "out")
	if err := errors.Join(os.Mkdir(r.out, 0o755), r.copySource(ctx)); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

var isVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

func (r *release) readCommit(ctx context.Context) error {
	if shallow, err := git(ctx, r.root, "rev-parse", "--is-shallow-repository"); err != nil {
		return err
	} else if shallow == "true" {
		return errShallow
	}
	var err error
	if r.commit, err = git(ctx, r.root, "rev-parse", "HEAD"); err != nil {
		return err
	}
	seconds, err := git(ctx, r.root, "log", "-1", "--format=%cd", "--date=unix")
	if err != nil {
		return err
	}
	var unix int64
	if _, err := fmt.Sscan(seconds, &unix); err != nil {
		return fmt.Errorf("read the time of commit %s: %w", r.commit, err)
	}
	r.date = time.Unix(unix, 0).UTC()
	set, err := git(ctx, r.root, "log", "-1", "--format=%H", "--", "VERSION")
	r.exact = set == r.commit && !r.dirty
	return err
}

// errShallow is returned for a clone without history: it does not show which commit set the
// version.
var errShallow = errors.New("this clone is shallow, so the commits that set VERSION are unknown: run git fetch --unshallow")

// copySource copies the files that git knows to r.source, with the modes that git stores.
// Files that git ignores could get into a program otherwise, through go:embed.
func (r *release) copySource(ctx context.Context) error {
	list, err := git(ctx, r.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		from, to := filepath.Join(r.root, name), filepath.Join(r.source, name)
		info, err := os.Lstat(from)
		if errors.Is(err, os.ErrNotExist) && r.dirty {
			continue // deleted, and not committed
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err := errors.Join(err, os.Symlink(target, to)); err != nil {
				return err
			}
			continue
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		content, err := os.ReadFile(from)
		if err := errors.Join(err, os.WriteFile(to, content, mode)); err != nil {
			return err
		}
		if err := os.Chmod(to, mode); err != nil { // whatever the umask says
			return err
		}
	}
	return nil
}

// build builds the artefacts into r.out.
func (r *release) build(ctx context.Context, chosen []artefact) error {
	if !r.exact {
		fmt.Fprintf(r.talk, "commit %.12s is not the one that set VERSION to %s, or has changes: the programs will say that they are not the release\n", r.commit, r.version)
	}
	for _, a := range chosen {
		started := time.Now()
		if err := a.build(r, ctx); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintf(r.talk, "%-10s %5.1f s\n", a.name, time.Since(started).Seconds())
	}
	return nil
}

// create writes one artefact. The name has no folder.
func (r *release) create(name string, write func(io.Writer) error) error {
	file, err := os.OpenFile(filepath.Join(r.out, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Chmod(file.Name(), 0o644)
}

// close removes the temporary files.
func (r *release) close() error { return os.RemoveAll(r.work) }

// epoch is the time of the commit for programs that read SOURCE_DATE_EPOCH.
func (r *release) epoch() string { return fmt.Sprint(r.date.Unix()) }

// git returns what a git command in a folder prints, without the last newline. The clone
// may belong to another user.
func git(ctx context.Context, folder string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, args...)...)
	c.Dir = folder
	out, err := c.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %s", strings.Join(args, " "), strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimRight(string(out), "\n"), err
}
