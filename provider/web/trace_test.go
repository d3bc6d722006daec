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

// serving runs a handler behind Traced on a real server. log stops it and gives
// what was logged.
func serving(t *testing.T, handler http.HandlerFunc) (url string, log func() string) {
	t.Helper()
	var lines strings.Builder
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) })
	server := httptest.NewServer(web.Traced(slog.New(slog.NewTextHandler(&lines, nil)), nil, time.Now, broken, handler))
	t.Cleanup(server.Close)
	return server.URL, func() string { server.Close(); return lines.String() }
}

// HT-18: Panic in a handler.
func TestWeb_WhatWasPreparedGoesWithThePanic(t *testing.T) {
	url, log := serving(t, func(w http.ResponseWriter, _ *http.Request) {
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
	if said := log(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "panic=canary") || !strings.Contains(said, "trace_test.go") {
		t.Errorf("the log: %s", said)
	}
}

// Half an answer must not look like a whole one, to a cache least of all.
// HT-18: Panic in a handler.
func TestWeb_BrokenAnswerIsCutOff(t *testing.T) {
	url, log := serving(t, func(w http.ResponseWriter, _ *http.Request) {
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
		t.Errorf("a broken answer reads as whole: %q", body)
	}
	if said := log(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=ERROR") || !strings.Contains(said, "panic=canary") {
		t.Errorf("the log: %s", said)
	}
}
