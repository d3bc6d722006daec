package engine

import "time"

// Millis is a moment in Unix milliseconds, UTC. Zero is never.
type Millis int64

// At gives the moment t as it is stored.
func At(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time gives the moment in UTC; the zero time.Time for never.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// Unix gives whole seconds, as tokens carry them.
func (m Millis) Unix() int64 { return int64(m) / 1000 }

// Add gives the moment d later.
func (m Millis) Add(d time.Duration) Millis { return m + Millis(d.Milliseconds()) }
