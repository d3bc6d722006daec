package parties_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"signet/cmd/signet/signettest"
)

// tokenFront is a proxy between the parties and Signet that makes calls to the token
// endpoint fail.
type tokenFront struct {
	signet http.Handler

	mu     sync.Mutex
	fault  tokenFault
	faults int // how many more calls fail
	failed int
}

// tokenFault answers a call to the token endpoint in place of Signet.
type tokenFault func(signet http.Handler, w http.ResponseWriter, r *http.Request)

// tokenFaults are the network faults that calls to the token endpoint meet, by name.
var tokenFaults = map[string]tokenFault{
	"answer lost": func(signet http.Handler, _ http.ResponseWriter, r *http.Request) {
		signet.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // closes the connection
	},
	"503 before Signet": func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no server is available", http.StatusServiceUnavailable)
	},
	"503 after Signet": func(signet http.Handler, w http.ResponseWriter, r *http.Request) {
		signet.ServeHTTP(httptest.NewRecorder(), r)
		http.Error(w, "the server took too long", http.StatusServiceUnavailable)
	},
}

// newInstanceBehindFront returns an installation behind a new tokenFront. The address of the
// front is the issuer.
func newInstanceBehindFront(t *testing.T) (*signettest.Instance, *tokenFront) {
	t.Helper()
	i := signettest.NewInstance(t)
	target, err := url.Parse(i.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	f := &tokenFront{signet: &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // Signet does not listen yet
	}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for n, setting := range i.Env {
		if setting == "SIGNET_ISSUER="+i.Issuer {
			i.Env[n] = "SIGNET_ISSUER=" + server.URL
		}
	}
	i.Issuer = server.URL
	return i, f
}

func (f *tokenFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := f.nextFault(r); fault != nil {
		fault(f.signet, w, r)
		return
	}
	f.signet.ServeHTTP(w, r)
}

func (f *tokenFront) nextFault(r *http.Request) tokenFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path != "/token" || f.faults == 0 {
		return nil
	}
	f.faults--
	f.failed++
	return f.fault
}

// fail runs act and makes the first calls to the token endpoint fail, at most the given
// number of times. It reports an error if none failed.
func (f *tokenFront) fail(t *testing.T, fault string, times int, act func()) {
	t.Helper()
	f.setFault(tokenFaults[fault], times)
	act()
	if f.setFault(nil, 0) == 0 {
		t.Errorf("%s: the token endpoint was not called", fault)
	}
}

// failedCalls returns how many calls have failed since fail started.
func (f *tokenFront) failedCalls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// setFault changes the fault and returns how many calls have failed since the last change.
func (f *tokenFront) setFault(fault tokenFault, times int) (failed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed, f.failed = f.failed, 0
	f.fault, f.faults = fault, times
	return failed
}
