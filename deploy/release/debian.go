package main

import (
	"archive/tar"
	"bytes"
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

// debianPackage downloads the first of these packages that exists. apt checks its signature.
func (r *release) debianPackage(ctx context.Context, arch string, names ...string) (debianPackage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.packages[names[0]]; ok {
		return p, nil
	}
	var problems []error
	for _, name := range names {
		folder := filepath.Join(r.work, "apt", name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return debianPackage{}, err
		}
		c := exec.CommandContext(ctx, "apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name+":"+arch)
		c.Dir = folder
		if out, err := c.CombinedOutput(); err != nil {
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
	return debianPackage{}, fmt.Errorf("%w\nrun apt-get update and try again", errors.Join(problems...))
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
