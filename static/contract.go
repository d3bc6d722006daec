package static

import "net/http"

// Files is the set of embedded files.
type Files struct{}

// New hashes the embedded files. Base is the issuer's path, "" or "/auth".
func New(base string) (*Files, error) { panic("to build") }

// URL is the path of a file by its plain name, with its hash: /static/site.1a2b3c4d.css.
// An unknown name is a programming error and panics.
func (f *Files) URL(name string) string { panic("to build") }

// Prefix is the path all of them lie under, with a slash at its end.
func (f *Files) Prefix() string { panic("to build") }

// ServeHTTP serves them, immutable for a year, compressed where that helps; GET
// and HEAD only.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("to build") }
