package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed site.css site.js webauthn.js check_session.js favicon.svg favicon.ico google.svg github.svg
var embedded embed.FS

// before names the file whose content comes first in a file, so that a page needs one
// request for both. Most pages need only the first.
var before = map[string]string{"webauthn.js": "site.js"}

// contentTypes are spelled out: the system's table differs between machines, and
// a style sheet of another type is refused under nosniff.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".ico": "image/vnd.microsoft.icon",
}

// Files is the set of embedded files. It never changes after New and may be used
// by many goroutines.
type Files struct {
	prefix string
	urls   map[string]string // plain name → path with hash
	byPath map[string]file
}

// file is one file, ready to be sent.
type file struct {
	contentType string
	plain       body
	gzipped     body // no bytes where compression does not help
}

// body is one representation; each has its own entity tag (RFC 9110, section
// 8.8.3: a tag names one sequence of bytes, and the coding is part of it).
type body struct {
	bytes  []byte
	etag   string
	coding string // of Content-Encoding, "" for none
}

// New gives the embedded files, hashed and compressed. Base is the issuer's path, "" or
// "/auth".
func New(base string) (*Files, error) {
	all, err := assets()
	if err != nil {
		return nil, err
	}
	return load(all, base), nil
}

// assets are the embedded files, compressed once a process: they are the same
// below every base.
var assets = sync.OnceValues(func() ([]asset, error) { return read(embedded) })

// asset is a file and the name that changes with its content.
type asset struct {
	name, hashed string
	file         file
}

func load(source []asset, base string) *Files {
	f := &Files{
		prefix: base + "/static/",
		urls:   make(map[string]string, len(source)),
		byPath: make(map[string]file, len(source)),
	}
	for _, a := range source {
		url := f.prefix + a.hashed
		f.urls[a.name], f.byPath[url] = url, a.file
	}
	return f
}

func read(source fs.FS) ([]asset, error) {
	names, err := fs.Glob(source, "*.*")
	if err != nil {
		return nil, fmt.Errorf("list static files: %w", err)
	}
	list := make([]asset, 0, len(names))
	for _, name := range names {
		one, err := readOne(source, name)
		if err != nil {
			return nil, fmt.Errorf("load static file %s: %w", name, err)
		}
		list = append(list, one)
	}
	return list, nil
}

// commentLine is a line of a script that has a comment alone. Browsers do not get these lines, since
// the sign-in page may have 15 KB. The scripts have no strings of several lines.
var commentLine = regexp.MustCompile(`(?m)^ *//.*\n`)

func readOne(source fs.FS, name string) (asset, error) {
	content, err := fs.ReadFile(source, name)
	if err != nil {
		return asset{}, err
	}
	if first, ok := before[name]; ok {
		start, err := fs.ReadFile(source, first)
		if err != nil {
			return asset{}, err
		}
		content = slices.Concat(start, content)
	}
	ext := path.Ext(name)
	if ext == ".js" {
		content = commentLine.ReplaceAll(content, nil)
	}
	contentType, known := contentTypes[ext]
	if !known {
		return asset{}, fmt.Errorf("no content type for %q", ext)
	}
	var gzipped []byte
	if ext != ".ico" { // it holds pictures that are compressed
		if gzipped, err = compress(content); err != nil {
			return asset{}, err
		}
	}
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:4])
	return asset{name, strings.TrimSuffix(name, ext) + "." + hash + ext, file{
		contentType: contentType,
		plain:       body{content, `"` + hash + `"`, ""},
		gzipped:     body{gzipped, `"` + hash + `-gzip"`, "gzip"},
	}}, nil
}

// compress returns nil where the result would not be smaller.
func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() >= len(content) {
		return nil, nil
	}
	return out.Bytes(), nil
}

// URL is the path of a file by its plain name, with its hash:
// /static/site.1a2b3c4d.css. An unknown name is a programming error and panics.
func (f *Files) URL(name string) string {
	url, ok := f.urls[name]
	if !ok {
		panic("static: no file " + name)
	}
	return url
}

// Prefix is the path all of them lie under, with a slash at its end.
func (f *Files) Prefix() string { return f.prefix }
