package node

import (
	"io"
	"log/slog"
	"strings"
	"time"
)

// NewLog returns the log of a server: one JSON object on each line.
func NewLog(to io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: inMilliseconds}))
}

// NewTextLog returns a log for a person at a terminal.
func NewTextLog(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{ReplaceAttr: inMilliseconds}))
}

// inMilliseconds writes every duration as a number of milliseconds, with a key that ends with
// _ms. Without it the handlers of slog write nanoseconds in JSON and 1.5ms in text.
func inMilliseconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	key := strings.TrimSuffix(a.Key, "_ms") + "_ms"
	return slog.Float64(key, float64(a.Value.Duration())/float64(time.Millisecond))
}
