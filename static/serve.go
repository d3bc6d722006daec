package static

import (
	"net/http"
	"strconv"
	"strings"
)

// Has reports whether there is a file at the whole path, with Prefix.
func (f *Files) Has(path string) bool {
	_, found := f.byPath[path]
	return found
}

// ServeHTTP serves the files, immutable for a year, compressed where the client
// accepts gzip; GET and HEAD only. It expects the whole path, with Prefix. A name
// with another hash than the current one is 404: answering it with today's bytes
// would keep them for ever under yesterday's name.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	found, ok := f.byPath[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	found.serve(w, r)
}

// Icon serves favicon.ico, which browsers ask for under that plain name wherever a page
// names no icon. A name without a hash may be kept for a day.
func (f *Files) Icon(w http.ResponseWriter, r *http.Request) {
	f.byPath[f.urls["favicon.ico"]].send(w, r, "public, max-age=86400")
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	f.send(w, r, "public, max-age=31536000, immutable")
}

func (f file) send(w http.ResponseWriter, r *http.Request, keep string) {
	h := w.Header()
	send := f.plain
	if f.gzipped.bytes != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			send = f.gzipped
		}
	}
	h.Set("Cache-Control", keep)
	h.Set("ETag", send.etag)
	if Unchanged(r, send.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if send.coding != "" {
		h.Set("Content-Encoding", send.coding)
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(send.bytes)))
	if r.Method == http.MethodHead {
		return
	}
	// An error here is the client that went away; nobody is left to tell.
	_, _ = w.Write(send.bytes)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3). A weight of zero
// refuses; the wildcard is not taken for gzip, plain bytes are always right.
func acceptsGzip(fields []string) bool {
	for _, field := range fields {
		for coding := range strings.SplitSeq(field, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
			if !found {
				return true
			}
			value, err := strconv.ParseFloat(q, 64)
			return err == nil && value > 0
		}
	}
	return false
}
