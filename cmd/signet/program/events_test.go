package program_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/storage"
)

func TestEvents_ExportReadsAllPages(t *testing.T) {
	env := []string{"SIGNET_DATA_DIR=" + t.TempDir() + "/data", "SIGNET_ISSUER=http://localhost:8080"}
	call := func(args ...string) string {
		var out, talk bytes.Buffer
		if code := program.Run(t.Context(), signettest.Surroundings(env, "", &out, &talk), args); code != exit.OK {
			t.Fatalf("signet %s: exit code %d\n%s", strings.Join(args, " "), code, talk.String())
		}
		return out.String()
	}
	call("migrate")
	db, err := node.OpenDatabase(t.Context(), config.Config{DataDir: strings.TrimPrefix(env[0], "SIGNET_DATA_DIR=")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := 2*program.EventsPage + 1
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

// It also prints an event that was committed after a later event.
func TestEvents_FollowPrintsEachEventOnce(t *testing.T) {
	env := []string{"SIGNET_DATA_DIR=" + t.TempDir() + "/data", "SIGNET_ISSUER=http://localhost:8080"}
	db, err := node.OpenDatabase(t.Context(), config.Config{DataDir: strings.TrimPrefix(env[0], "SIGNET_DATA_DIR=")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	note := func(reason string, kind storage.EventType, at time.Time) {
		if err := db.RecordEvent(t.Context(), storage.Event{Type: kind, Outcome: storage.Refused, Reason: reason}, at); err != nil {
			t.Error(err)
		}
	}
	for _, mode := range []string{"--outcome=refused", "--jsonl"} {
		note("first"+mode, storage.KeyAlarm, time.Now())
		note("second"+mode, storage.KeyAlarm, time.Now())
		ctx, interrupt := context.WithCancel(t.Context())
		read, write := io.Pipe()
		code := make(chan int, 1)
		var talk bytes.Buffer
		go func() {
			code <- program.Run(ctx, signettest.Surroundings(env, "", write, &talk), []string{"events", "--follow", "--type", "key.alarm", mode, "--limit", "2"})
			write.Close()
		}()
		lines := bufio.NewScanner(read)
		next := func(want string) {
			t.Helper()
			if !lines.Scan() || !strings.Contains(lines.Text(), want) {
				t.Fatalf("%s: got %q, want %s; %s", mode, lines.Text(), want, talk.String())
			}
			if mode == "--jsonl" && !json.Valid(lines.Bytes()) {
				t.Errorf("not JSON: %s", lines.Text())
			}
		}
		next("first" + mode)
		next("second" + mode)
		note("other", storage.KeyRotated, time.Now())
		note("third"+mode, storage.KeyAlarm, time.Now())
		next("third" + mode)
		note("late"+mode, storage.KeyAlarm, time.Now().Add(-5*time.Second))
		next("late" + mode)
		note("last"+mode, storage.KeyAlarm, time.Now())
		next("last" + mode)
		interrupt()
		if lines.Scan() || <-code != exit.OK {
			t.Errorf("%s: after the interruption: %q; %s", mode, lines.Text(), talk.String())
		}
	}
}
