package example_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// front stands before the servers of a site. It counts what is called, looks for
// secrets in what scripts can read, and loses an answer or holds it back when it is
// told to.
type front struct {
	mu      sync.Mutex
	calls   map[string]int                         // by method and path
	secrets map[string]bool                        // the values of all cookies so far
	leaked  []string                               // paths whose answer had a secret in its body
	faults  map[string]func(r *http.Request) error // what happens to the next answer of a path
	held    struct{ made, release chan struct{} }  // the answer that is held back
}

func newFront() *front {
	return &front{calls: map[string]int{}, secrets: map[string]bool{}, faults: map[string]func(*http.Request) error{}}
}

// pass hands on to a server behind, Host and all.
func (f *front) pass(to string) http.Handler {
	target, _ := url.Parse(to)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // the answer is read here
			f.count(r.In)
		},
		ModifyResponse: f.look,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

func (f *front) count(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[r.Method+" "+r.URL.Path]++
}

func (f *front) look(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if fault := f.note(r, body); fault != nil {
		return fault(r.Request)
	}
	return nil
}

// note keeps what an answer tells, and gives the fault that waits for it.
func (f *front) note(r *http.Response, body []byte) (fault func(*http.Request) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cookie := range r.Cookies() {
		if len(cookie.Value) > 20 { // others say which way in was the last, and the like
			f.secrets[cookie.Value] = true
		}
	}
	path := r.Request.URL.Path
	if f.tells(body, r.Header.Get("Content-Type")) {
		f.leaked = append(f.leaked, path)
	}
	fault = f.faults[path]
	delete(f.faults, path)
	return fault
}

// tells reports whether a body has a secret in it. A page holds its sealed request,
// which looks like a token and is none.
func (f *front) tells(body []byte, contentType string) bool {
	if bytes.Contains(body, []byte("eyJ")) && !strings.Contains(contentType, "text/html") {
		return true
	}
	for secret := range f.secrets {
		if bytes.Contains(body, []byte(secret)) {
			return true
		}
	}
	return false
}

// control lets the browser program read and clear the counts, lose the next answer of
// a path, or hold it back: /held is answered when it is there, /release lets it go.
func (f *front) control(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/calls", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := json.NewEncoder(w).Encode(f.calls); err != nil {
			t.Error(err)
		}
		f.calls = map[string]int{}
	})
	mux.HandleFunc("/cut", func(_ http.ResponseWriter, r *http.Request) {
		f.next(r.FormValue("path"), func(*http.Request) error { return errors.New("the answer is lost") })
	})
	mux.HandleFunc("/hold", func(_ http.ResponseWriter, r *http.Request) {
		made, release := make(chan struct{}), make(chan struct{})
		f.held.made, f.held.release = made, release
		f.next(r.FormValue("path"), func(r *http.Request) error {
			close(made)
			select {
			case <-release:
			case <-r.Context().Done(): // who asked is gone
			}
			return r.Context().Err()
		})
	})
	mux.HandleFunc("/held", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-f.held.made:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/release", func(http.ResponseWriter, *http.Request) { close(f.held.release) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func (f *front) next(path string, fault func(*http.Request) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[path] = fault
}
