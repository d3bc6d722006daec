package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // the format of the packages
	"github.com/goreleaser/nfpm/v2/files"
)

// maintainer is in every package. The project has no mail address.
const maintainer = "The Signet developers <signet@signet.invalid>"

// debTargets are the machines that have a package. Its program is the fast build.
var debTargets = []target{
	{os: "linux", arch: "amd64", fast: true},
	{os: "linux", arch: "arm64", fast: true},
}

// deb writes one package for each of debTargets.
func (r *release) deb(ctx context.Context) error {
	made, err := r.debDocuments(ctx)
	if err != nil {
		return err
	}
	for _, t := range debTargets {
		program, err := r.program(ctx, t)
		if err != nil {
			return err
		}
		info, err := r.debPackage(t, program, made)
		if err != nil {
			return err
		}
		packager, err := nfpm.Get("deb")
		if err != nil {
			return err
		}
		if err := r.create("signet_"+r.version+"_"+t.arch+".deb", func(w io.Writer) error { return packager.Package(info, w) }); err != nil {
			return err
		}
	}
	return nil
}

// debPackage describes a package. made is the folder of the documents.
func (r *release) debPackage(t target, program, made string) (*nfpm.Info, error) {
	glibc, err := glibcOf(program)
	if err != nil {
		return nil, err
	}
	from := func(name string) string { return filepath.Join(r.source, "deploy", name) }
	contents := files.Contents{
		r.debFile(program, "/usr/bin/signet", 0o755),
		{Source: from("debian/signet.yaml"), Destination: "/etc/signet/signet.yaml", Type: files.TypeConfigNoReplace, FileInfo: &files.ContentFileInfo{Mode: 0o644, Owner: "root", Group: "root", MTime: r.date}},
		r.debFile(from("systemd/signet.service"), "/usr/lib/systemd/system/signet.service", 0o644),
		r.debFile(from("systemd/signet.socket"), "/usr/lib/systemd/system/signet.socket", 0o644),
		r.debFile(from("systemd/signet.sysusers"), "/usr/lib/sysusers.d/signet.conf", 0o644),
		r.debFile(from("systemd/signet.tmpfiles"), "/usr/lib/tmpfiles.d/signet.conf", 0o644),
		r.debFile(from("debian/lintian-overrides"), "/usr/share/lintian/overrides/signet", 0o644),
		r.debFile(filepath.Join(made, "bash"), "/usr/share/bash-completion/completions/signet", 0o644),
		r.debFile(filepath.Join(made, "zsh"), "/usr/share/zsh/vendor-completions/_signet", 0o644),
		r.debFile(filepath.Join(made, "fish"), "/usr/share/fish/vendor_completions.d/signet.fish", 0o644),
		r.debFile(filepath.Join(made, "signet.1.gz"), "/usr/share/man/man1/signet.1.gz", 0o644),
	}
	documents := filepath.Join(made, "doc")
	if err := filepath.WalkDir(documents, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(documents, file)
		contents = append(contents, r.debFile(file, "/usr/share/doc/signet/"+filepath.ToSlash(name), 0o644))
		return err
	}); err != nil {
		return nil, err
	}
	return nfpm.WithDefaults(&nfpm.Info{
		Name: "signet", Arch: t.arch, Platform: "linux", Version: r.version, VersionSchema: "none", Section: "net", Priority: "optional", Maintainer: maintainer,
		Description: "OpenID Connect provider\nSignet signs people in to applications by OpenID Connect: with passwords of its\nown, or through upstreams such as Google, GitHub and Microsoft. It is one\nprogram that stores its data in SQLite or PostgreSQL.",
		MTime:       r.date, DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			// passwd creates the user where there is no systemd.
			Depends: []string{"libc6 (>= " + glibc + ")", "init-system-helpers (>= 1.51)", "passwd"},
			// Without libcrypto, Go signs RS256; without the certificates, upstreams are not trusted.
			Recommends: []string{"ca-certificates", "libssl3 | libssl3t64"},
			Suggests:   []string{"postgresql", "caddy | nginx"},
			Contents:   contents,
			Scripts:    nfpm.Scripts{PostInstall: from("debian/postinst"), PreRemove: from("debian/prerm"), PostRemove: from("debian/postrm")},
			Deb:        nfpm.Deb{Compression: "gzip"},
		},
	}), nil
}

// debFile is a file of the package that belongs to root.
func (r *release) debFile(from, to string, mode os.FileMode) *files.Content {
	return &files.Content{Source: from, Destination: to, FileInfo: &files.ContentFileInfo{Mode: mode, Owner: "root", Group: "root", MTime: r.date}}
}

// glibcOf returns the oldest version of glibc that has all symbols which a program needs.
func glibcOf(program string) (string, error) {
	file, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer file.Close()
	symbols, err := file.ImportedSymbols()
	if err != nil {
		return "", fmt.Errorf("read the symbols of %s: %w", program, err)
	}
	var newest [3]int
	for _, s := range symbols {
		found := glibcVersion.FindStringSubmatch(s.Version)
		if found == nil {
			continue
		}
		var version [3]int
		for i, number := range strings.Split(found[1], ".") {
			if version[i], err = strconv.Atoi(number); err != nil {
				return "", err
			}
		}
		newest = slices.MaxFunc([][3]int{newest, version}, func(a, b [3]int) int { return slices.Compare(a[:], b[:]) })
	}
	if newest == ([3]int{}) {
		return "", errors.New("the program needs no glibc: it is not the build for a package")
	}
	return fmt.Sprintf("%d.%d", newest[0], newest[1]), nil
}

var glibcVersion = regexp.MustCompile(`^GLIBC_([0-9]+\.[0-9]+(?:\.[0-9]+)?)$`)

// debDocuments writes the completions, the manual page and the documents of the package to a
// folder. The program prints the parts that depend on its commands.
func (r *release) debDocuments(ctx context.Context) (folder string, err error) {
	program, err := r.program(ctx, hostTarget())
	if err != nil {
		return "", err
	}
	folder = filepath.Join(r.work, "debian")
	written := map[string][]byte{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if written[shell], err = exec.CommandContext(ctx, program, "completion", shell).Output(); err != nil {
			return "", fmt.Errorf("signet completion %s: %w", shell, err)
		}
	}
	manual, err := r.manualPage(ctx, program)
	if err != nil {
		return "", err
	}
	license, err := os.ReadFile(filepath.Join(r.source, "deploy/debian/copyright"))
	if err != nil {
		return "", err
	}
	written["doc/copyright"] = license
	change := fmt.Sprintf("signet (%s) stable; urgency=medium\n\n  * CHANGELOG.md in this folder lists the changes.\n\n -- %s  %s\n", r.version, maintainer, r.date.Format(time.RFC1123Z))
	for name, text := range map[string][]byte{"signet.1.gz": manual, "doc/changelog.gz": []byte(change)} {
		if written[name], err = compressed(text); err != nil {
			return "", err
		}
	}
	if written["doc/NOTICES"], err = r.notices(ctx); err != nil {
		return "", err
	}
	// The pages have the same places as in the clone, so that their links lead to each other.
	for _, pattern := range []string{"*.md", "NOTICE", "docs/*.md", "deploy/proxy/[^.]*", "deploy/compose/[^.]*"} {
		pages, err := filepath.Glob(filepath.Join(r.source, pattern))
		if err != nil {
			return "", err
		}
		for _, page := range pages {
			name := "doc" + strings.TrimPrefix(page, r.source)
			if written[name], err = os.ReadFile(page); err != nil {
				return "", err
			}
		}
	}
	for name, content := range written {
		file := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// hostTarget is a build that runs on this machine: that of a package, or else a static one.
func hostTarget() target {
	host := target{os: runtime.GOOS, arch: runtime.GOARCH, fast: true}
	if !slices.Contains(debTargets, host) {
		host.fast = false
	}
	return host
}

// manualPage returns signet(1) with the list of commands that the program prints.
func (r *release) manualPage(ctx context.Context, program string) ([]byte, error) {
	page, err := os.ReadFile(filepath.Join(r.source, "deploy/debian/signet.1"))
	if err != nil {
		return nil, err
	}
	help, err := exec.CommandContext(ctx, program, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("signet --help: %w", err)
	}
	_, rest, _ := strings.Cut(string(help), "Available Commands:\n")
	list, _, _ := strings.Cut(rest, "\n\n")
	var commands strings.Builder
	for line := range strings.Lines(list) {
		name, meaning, found := strings.Cut(strings.TrimSpace(line), " ")
		if found && name != "help" {
			fmt.Fprintf(&commands, ".TP\n.B signet %s\n%s\n", strings.ReplaceAll(name, "-", `\-`), strings.TrimSpace(meaning))
		}
	}
	const place = ".\\\" COMMANDS\n"
	if commands.Len() == 0 || !bytes.Contains(page, []byte(place)) {
		return nil, errors.New("the manual page has no place for the commands, or signet --help lists none")
	}
	return bytes.Replace(page, []byte(place), []byte(commands.String()), 1), nil
}

// compressed returns text in the form of gzip, without a name and a time.
func compressed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
