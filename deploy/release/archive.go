package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staticTargets are the machines that have an archive with a static program.
var staticTargets = []target{
	{os: "linux", arch: "amd64"},
	{os: "linux", arch: "arm64"},
	{os: "darwin", arch: "amd64"},
	{os: "darwin", arch: "arm64"},
}

// static writes one archive for each of staticTargets.
func (r *release) static(ctx context.Context) error {
	notices, err := r.notices(ctx)
	if err != nil {
		return err
	}
	for _, t := range staticTargets {
		program, err := r.program(ctx, t)
		if err != nil {
			return err
		}
		folder := "signet-" + r.version + "-" + t.String()
		files := []entry{
			{name: folder + "/signet", from: program, mode: 0o755},
			{name: folder + "/README.md", from: filepath.Join(r.source, "README.md"), mode: 0o644},
			{name: folder + "/CHANGELOG.md", from: filepath.Join(r.source, "CHANGELOG.md"), mode: 0o644},
			{name: folder + "/LICENSE", from: filepath.Join(r.source, "LICENSE"), mode: 0o644},
			{name: folder + "/NOTICE", from: filepath.Join(r.source, "NOTICE"), mode: 0o644},
			{name: folder + "/NOTICES", content: notices, mode: 0o644},
		}
		if err := r.create(folder+".tar.gz", func(w io.Writer) error { return writeTarGz(w, files, r.date) }); err != nil {
			return err
		}
	}
	return nil
}

// entry is a file in an archive.
type entry struct {
	name    string // with slashes
	from    string // the path of the content; "" if content has it
	content []byte
	mode    int64
	owner   int    // number of the user and of the group
	link    string // the target of a symbolic link
}

// writeTarGz writes a compressed archive. The same files give the same bytes.
func writeTarGz(w io.Writer, files []entry, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(writeTar(compressed, files, at), compressed.Close())
}

// writeTar writes an archive whose files have one time. A name that ends with / is a folder.
func writeTar(w io.Writer, files []entry, at time.Time) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, ModTime: at, Format: tar.FormatPAX}
		switch {
		case f.link != "":
			header.Typeflag, header.Linkname = tar.TypeSymlink, f.link
		case strings.HasSuffix(f.name, "/"):
			header.Typeflag = tar.TypeDir
		default:
			header.Typeflag = tar.TypeReg
			if f.from != "" {
				content, err := os.ReadFile(f.from)
				if err != nil {
					return err
				}
				f.content = content
			}
			header.Size = int64(len(f.content))
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := archive.Write(f.content); err != nil {
				return err
			}
		}
	}
	return archive.Close()
}
