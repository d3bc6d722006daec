package node

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestLog_DurationsAreMilliseconds(t *testing.T) {
	const d = 1500 * time.Microsecond
	record := func(log *slog.Logger) {
		log.With("since", 2*time.Second).WithGroup("of").Info("done", "took", d, "wait_ms", d, slog.Group("deep", "any", slog.AnyValue(d)), "count", 3)
	}
	var lines bytes.Buffer
	record(NewLog(&lines, slog.LevelInfo))
	var got map[string]any
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	of, _ := got["of"].(map[string]any)
	deep, _ := of["deep"].(map[string]any)
	if got["since_ms"] != 2000.0 || of["took_ms"] != 1.5 || of["wait_ms"] != 1.5 || deep["any_ms"] != 1.5 || of["count"] != 3.0 {
		t.Errorf("JSON: %s", lines.String())
	}
	lines.Reset()
	record(NewTextLog(&lines))
	for _, want := range []string{"since_ms=2000", "of.took_ms=1.5", "of.wait_ms=1.5", "of.deep.any_ms=1.5"} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("text: no %s in %s", want, lines.String())
		}
	}
}
