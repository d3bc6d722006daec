package cli

import (
	"time"

	"signet/storage"
)

// OptionalTime returns m as a time. It returns nil for zero (never), so that JSON omits it.
func OptionalTime(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// FormatTime formats a time for tables and messages: RFC 3339, in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
