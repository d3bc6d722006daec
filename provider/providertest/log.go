package providertest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// NoteRefusals writes what was refused, as the provider's owner does once a second.
func (b *Testbed) NoteRefusals(t *testing.T) {
	t.Helper()
	if err := b.NoteRefusalsOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// RequestLines are the lines of the log that tell of requests, since the log was this long.
func (b *Testbed) RequestLines(t *testing.T, since int) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.Log.String()[since:]) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %q", err, line)
		}
		if members["msg"] == "request" {
			if n := strings.Count(line, `,"address":`); n != 1 {
				t.Errorf("the line has %d addresses: %s", n, line)
			}
			lines = append(lines, members)
		}
	}
	return lines
}
