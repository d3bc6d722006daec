package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// debianBase is the lower layer of the Debian-based image.
type debianBase struct {
	packages []debianPackage
	files    []entry
}

// debianPackage is a package of Debian.
type debianPackage struct {
	name, version, arch string
	file                string // the .deb
	control             []byte
}

// debianBase unpacks the C library, OpenSSL's libcrypto and the certificate authorities. There
// is no shell and no package manager. Scanners find the packages in /var/lib/dpkg/status.d.
func (r *release) debianBase(ctx context.Context) (debianBase, error) {
	var base debianBase
	for _, names := range [][]string{{"base-files"}, {"libc6"}, {"libgcc-s1"}, {"libssl3t64", "libssl3"}} {
		p, err := r.debianPackage(ctx, fastTarget.arch, names...)
		if err != nil {
			return base, err
		}
		files, err := p.files(ctx)
		if err != nil {
			return base, err
		}
		base.packages = append(base.packages, p)
		for _, f := range files {
			if wantedInImage(f.name) {
				base.files = append(base.files, f)
			}
		}
		base.files = append(base.files, entry{name: "var/lib/dpkg/status.d/" + p.name, content: p.control, mode: 0o644})
	}
	authorities, err := r.authorities(ctx)
	if err != nil {
		return base, err
	}
	base.files = slices.DeleteFunc(base.files, func(f entry) bool {
		return slices.ContainsFunc(authorities, func(a entry) bool { return a.name == f.name })
	})
	base.files = append(base.files, authorities...)
	base.files = uniqueFolders(base.files)
	return base, nil
}

// checkGlibc refuses a C library that is older than the one which the program was linked with:
// the program would not start.
func checkGlibc(ctx context.Context, packages []debianPackage, needed string) error {
	for _, p := range packages {
		if p.name == "libc6" && exec.CommandContext(ctx, "dpkg", "--compare-versions", p.version, "ge", needed).Run() == nil {
			return nil
		} else if p.name == "libc6" {
			return fmt.Errorf("the image would have libc6 %s, and the program needs %s: build on the Debian of the image, or name a newer one with -debian", p.version, needed)
		}
	}
	return errors.New("the image would have no libc6")
}

// wantedInImage leaves out documentation, except for the terms, and the converters between
// character sets, which nothing in the image uses.
func wantedInImage(name string) bool {
	if strings.HasPrefix(name, "usr/share/doc/") {
		return strings.HasSuffix(name, "/") || path.Base(name) == "copyright"
	}
	for _, unused := range []string{"usr/share/man/", "usr/share/locale/", "usr/share/lintian/", "usr/share/info/", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/locale/", "etc/update-motd.d/", "home/"} {
		if strings.HasPrefix(name, unused) {
			return false
		}
	}
	return true
}

// uniqueFolders removes folders that several packages have.
func uniqueFolders(files []entry) []entry {
	known := map[string]bool{}
	return slices.DeleteFunc(files, func(f entry) bool {
		again := known[f.name]
		known[f.name] = true
		return again && strings.HasSuffix(f.name, "/")
	})
}

// authorities returns Debian's list of certificate authorities. It comes from the package and
// not from /etc/ssl of this machine, where an operator may have added others.
func (r *release) authorities(ctx context.Context) ([]entry, error) {
	p, err := r.debianPackage(ctx, fastTarget.arch, "ca-certificates")
	if err != nil {
		return nil, err
	}
	files, err := p.files(ctx)
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	var terms []byte
	slices.SortFunc(files, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for _, f := range files {
		switch {
		case strings.HasPrefix(f.name, "usr/share/ca-certificates/mozilla/") && strings.HasSuffix(f.name, ".crt"):
			all.Write(bytes.TrimSpace(f.content))
			all.WriteByte('\n')
		case f.name == "usr/share/doc/ca-certificates/copyright":
			terms = f.content
		}
	}
	if bytes.Count(all.Bytes(), []byte("BEGIN CERTIFICATE")) < 50 {
		return nil, fmt.Errorf("%s contains fewer than 50 certificates", p.file)
	}
	return []entry{
		{name: "etc/ssl/certs/ca-certificates.crt", content: all.Bytes(), mode: 0o644},
		{name: "usr/share/doc/ca-certificates/copyright", content: terms, mode: 0o644},
		{name: "var/lib/dpkg/status.d/ca-certificates", content: p.control, mode: 0o644},
	}, nil
}

// debianSources is the file that says from which mirror and which Debian the packages come.
const debianSources = "deploy/debian/image.sources"

// aptGet returns an apt-get for the packages of images. It reads the file r.debian, or else
// debianSources, and not the sources of this machine: they may have other packages. The caller
// holds r.mu.
func (r *release) aptGet(ctx context.Context) (func(folder string, args ...string) *exec.Cmd, error) {
	if r.apt != nil {
		return r.apt, nil
	}
	sources := cmp.Or(r.debian, filepath.Join(r.source, debianSources))
	if _, err := os.Stat(sources); err != nil { // for apt-get, such a file has no sources
		return nil, err
	}
	state := filepath.Join(r.work, "apt")
	if err := os.MkdirAll(filepath.Join(state, "lists", "partial"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(state, "status"), nil, 0o644); err != nil {
		return nil, err
	}
	machine := []string{"-qq", "-o", "APT::Sandbox::User=root"}
	own := append(slices.Clone(machine), "-o", "APT::Architecture="+fastTarget.arch, "-o", "APT::Architectures="+fastTarget.arch,
		"-o", "Dir::State="+state, "-o", "Dir::State::status="+filepath.Join(state, "status"), "-o", "Dir::Cache="+state,
		"-o", "Dir::Etc::SourceList="+sources, "-o", "Dir::Etc::SourceParts=/dev/null")
	with := func(options []string) func(string, ...string) *exec.Cmd {
		return func(folder string, args ...string) *exec.Cmd {
			c := exec.CommandContext(ctx, "apt-get", slices.Concat(options, args)...)
			c.Dir, c.Env = folder, append(os.Environ(), "LC_ALL=C")
			return c
		}
	}
	r.apt = with(own)
	// Otherwise apt-get reports a mirror that does not answer as a warning only.
	out, err := r.apt(state, "-o", "APT::Update::Error-Mode=any", "update").CombinedOutput()
	switch {
	case err == nil:
	case r.debian != "":
		r.apt = nil
		return nil, fmt.Errorf("read the lists of packages of %s: %w: %s", r.debian, err, bytes.TrimSpace(out))
	default:
		fmt.Fprintf(r.talk, "the lists of packages of %s cannot be read, so the images get the packages that this machine's own sources have: %s\n", debianSources, bytes.TrimSpace(out))
		r.apt = with(machine)
	}
	return r.apt, nil
}

// debianPackage downloads the first of these packages that exists. apt checks its signature.
func (r *release) debianPackage(ctx context.Context, arch string, names ...string) (debianPackage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.packages[names[0]]; ok {
		return p, nil
	}
	apt, err := r.aptGet(ctx)
	if err != nil {
		return debianPackage{}, err
	}
	var problems []error
	for _, name := range names {
		folder := filepath.Join(r.work, "packages", name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return debianPackage{}, err
		}
		if out, err := apt(folder, "download", name+":"+arch).CombinedOutput(); err != nil {
			problems = append(problems, fmt.Errorf("apt-get download %s: %w: %s", name, err, bytes.TrimSpace(out)))
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.deb"))
		if err != nil || len(files) != 1 {
			return debianPackage{}, fmt.Errorf("apt-get download %s wrote %q: %w", name, files, err)
		}
		p := debianPackage{name: name, arch: arch, file: files[0]}
		if p.control, err = exec.CommandContext(ctx, "dpkg-deb", "--field", p.file).Output(); err != nil {
			return p, fmt.Errorf("dpkg-deb --field %s: %w", p.file, err)
		}
		for line := range strings.Lines(string(p.control)) {
			if version, ok := strings.CutPrefix(line, "Version: "); ok {
				p.version = strings.TrimSpace(version)
			}
			if arch, ok := strings.CutPrefix(line, "Architecture: "); ok {
				p.arch = strings.TrimSpace(arch)
			}
		}
		r.packages[names[0]] = p
		return p, nil
	}
	return debianPackage{}, fmt.Errorf("%w\nname other sources of packages with -debian", errors.Join(problems...))
}

// files returns the content of a package.
func (p debianPackage) files(ctx context.Context) ([]entry, error) {
	out, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", p.file).Output()
	if err != nil {
		return nil, fmt.Errorf("dpkg-deb --fsys-tarfile %s: %w", p.file, err)
	}
	var files []entry
	for archive := tar.NewReader(bytes.NewReader(out)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", p.file, err)
		}
		f := entry{name: strings.TrimPrefix(header.Name, "./"), mode: header.Mode & 0o7777, link: header.Linkname}
		if f.name == "" {
			continue
		}
		switch header.Typeflag {
		case tar.TypeReg:
			if f.content, err = io.ReadAll(archive); err != nil {
				return nil, err
			}
		case tar.TypeDir:
			f.name = strings.TrimSuffix(f.name, "/") + "/"
		case tar.TypeSymlink:
		default:
			return nil, fmt.Errorf("%s contains %s of the type %c, which images here do not have", p.file, header.Name, header.Typeflag)
		}
		files = append(files, f)
	}
}
