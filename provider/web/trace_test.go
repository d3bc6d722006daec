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

// serving runs a handler behind Traced on a real server.
func serving(t *testing.T, handler http.HandlerFunc) (url string, log *strings.Builder) {
	t.Helper()
	log = &strings.Builder{}
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) })
	server := httptest.NewServer(web.Traced(slog.New(slog.NewTextHandler(log, nil)), nil, time.Now, broken, handler))
	t.Cleanup(server.Close)
	return server.URL, log
}

func TestHT18_WhatWasPreparedGoesWithThePanic(t *testing.T) {
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
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "panic=canary") || !strings.Contains(log.String(), "trace_test.go") {
		t.Errorf("the log: %s", log)
	}
}

// Half an answer must not look like a whole one, to a cache least of all.
func TestHT18_BrokenAnswerIsCutOff(t *testing.T) {
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
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "panic=canary") {
		t.Errorf("the log: %s", log)
	}
}
