//go:build ignore

// Program npmfile prints a file of an npm package. It checks the archive of the package by its
// SHA-512 sum in base64, the integrity that package registries state. It needs npm:
//
//	go run .ci/npmfile.go PACKAGE@VERSION SUM FILE
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "npmfile: usage: npmfile PACKAGE@VERSION SUM FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "npmfile:", err)
		os.Exit(1)
	}
}

func run(source, integrity, file string) error {
	archive, err := download(source)
	if err != nil {
		return err
	}
	sum := sha512.Sum512(archive)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return fmt.Errorf("%s has the SHA-512 sum %s, want %s", source, got, integrity)
	}
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s lacks %s", source, file)
		}
		if err != nil {
			return err
		}
		if header.Name == file {
			_, err := io.Copy(os.Stdout, files)
			return err
		}
	}
}

// download returns the archive of the package.
func download(source string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "npmfile")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", folder, source)
	npm.Stderr = os.Stderr
	if err := npm.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", source, err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("npm pack %s made %d archives", source, len(files))
	}
	return os.ReadFile(files[0])
}
