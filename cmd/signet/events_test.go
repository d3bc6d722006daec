package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

func TestEvents_ExportGoesThroughAllPages(t *testing.T) {
	env := []string{"SIGNET_DATA_DIR=" + t.TempDir() + "/data", "SIGNET_ISSUER=http://localhost:8080"}
	call := func(args ...string) string {
		var out, talk bytes.Buffer
		if code := run(t.Context(), args, env, strings.NewReader(""), &out, &talk); code != exitOK {
			t.Fatalf("signet %s: exit code %d\n%s", strings.Join(args, " "), code, talk.String())
		}
		return out.String()
	}
	call("events")
	db, err := openDatabase(t.Context(), Config{DataDir: strings.TrimPrefix(env[0], "SIGNET_DATA_DIR=")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := 2*eventsPage + 1
	for range want {
		if err := db.RecordEvent(t.Context(), storage.Event{Type: storage.KeyAlarm}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	seen, lines := map[string]bool{}, 0
	for line := range strings.Lines(call("events", "--jsonl", "--type", "key.alarm")) {
		seen[line] = true
		lines++
	}
	if len(seen) != want || lines != want {
		t.Errorf("%d lines, %d different; want %d", lines, len(seen), want)
	}
}
