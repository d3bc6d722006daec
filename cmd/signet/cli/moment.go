package cli

import (
	"time"

	"signet/storage"
)

// OptionalTime is nil for never, so that JSON leaves it out.
func OptionalTime(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// FormatTime writes a time as tables and sentences show it.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
