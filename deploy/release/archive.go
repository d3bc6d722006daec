package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
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
}

// writeTarGz writes files that belong to root and have one time. The same files give the same
// bytes.
func writeTarGz(w io.Writer, files []entry, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		if f.from != "" {
			if f.content, err = os.ReadFile(f.from); err != nil {
				return err
			}
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: path.Clean(f.name), Mode: f.mode, Size: int64(len(f.content)), ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}
