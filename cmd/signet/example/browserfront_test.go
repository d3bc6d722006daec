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

// front is a proxy before the servers of a site. It counts the calls, looks for secrets in
// the answers that scripts can read, and drops or delays an answer on request.
type front struct {
	mu      sync.Mutex
	calls   map[string]int                         // by method and path
	secrets map[string]bool                        // the values of all cookies so far
	leaked  []string                               // paths with a secret in the body of the answer
	faults  map[string]func(r *http.Request) error // the fault for the next answer of a path
	held    struct{ made, release chan struct{} }  // the delayed answer
}

func newFront() *front {
	return &front{calls: map[string]int{}, secrets: map[string]bool{}, faults: map[string]func(*http.Request) error{}}
}

// pass forwards requests to a server, with the Host header.
func (f *front) pass(to string) http.Handler {
	target, _ := url.Parse(to)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // the front reads the answer
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

// note records an answer, and returns the fault that is set for it.
func (f *front) note(r *http.Response, body []byte) (fault func(*http.Request) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cookie := range r.Cookies() {
		if len(cookie.Value) > 20 { // shorter cookies are no secrets, such as the last way to sign in
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

// tells reports whether a body contains a secret. The sealed request in a page looks like a
// token but is none.
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

// control lets the browser program read and clear the counts, and drop or delay the next
// answer of a path: /held answers when the delayed answer is there, /release sends it.
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
			case <-r.Context().Done(): // the caller has gone
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
