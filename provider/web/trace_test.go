package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/provider/web"
)

// startTraced runs a handler behind Traced on a real server. log stops the server and
// returns the log.
func startTraced(t *testing.T, handler http.HandlerFunc) (url string, log func() string) {
	t.Helper()
	var lines strings.Builder
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) })
	server := httptest.NewServer(web.Traced(slog.New(slog.NewTextHandler(&lines, nil)), nil, time.Now, broken, handler))
	t.Cleanup(server.Close)
	return server.URL, func() string { server.Close(); return lines.String() }
}

// HT-18: a panic in a handler becomes an error answer, without the headers of the handler.
func TestTraced_PanicDropsPreparedHeaders(t *testing.T) {
	url, log := startTraced(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=x")
		w.Header().Set("Content-Length", "5000")
		panic("canary")
	})
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "broken\n" || response.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %q, %v, with %v", body, err, response.Header)
	}
	if logged := log(); strings.Count(logged, "\n") != 1 || !strings.Contains(logged, "panic=canary") || !strings.Contains(logged, "trace_test.go") {
		t.Errorf("the log: %s", logged)
	}
}

// HT-18: if a handler panics in the middle of its answer, the connection is closed. Half
// an answer must not look complete, least of all to a cache.
func TestTraced_PanicInAnswerClosesConnection(t *testing.T) {
	url, log := startTraced(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half ")
		_ = http.NewResponseController(w).Flush()
		panic("canary")
	})
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the client read half an answer without an error: %q", body)
	}
	if logged := log(); strings.Count(logged, "\n") != 1 || !strings.Contains(logged, "level=ERROR") || !strings.Contains(logged, "panic=canary") {
		t.Errorf("the log: %s", logged)
	}
}
