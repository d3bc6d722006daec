package providertest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// NoteRefusals writes the collected refusals to the audit log, as a running server does
// once a second.
func (b *Testbed) NoteRefusals(t *testing.T) {
	t.Helper()
	if err := b.NoteRefusalsOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// RequestLines returns the "request" lines of the log after the first since bytes. It fails
// the test if a line is not JSON or does not have exactly one address.
func (b *Testbed) RequestLines(t *testing.T, since int) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.Log.String()[since:]) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %q", err, line)
		}
		if members["msg"] == "request" {
			if n := strings.Count(line, `,"address":`); n != 1 {
				t.Errorf("the log line has %d addresses, want 1: %s", n, line)
			}
			lines = append(lines, members)
		}
	}
	return lines
}
