package cli

import (
	"time"

	"signet/storage"
)

// Moment is nil for never, so that JSON leaves it out.
func Moment(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// Stamp writes a time as tables and sentences show it.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
