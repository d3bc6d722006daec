package engine

import "time"

// Millis is a moment in Unix milliseconds, UTC. Zero means never.
type Millis int64

// At converts t to the form that is stored.
func At(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time returns the moment in UTC, or the zero time.Time for never.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// Unix returns whole seconds, as tokens contain them.
func (m Millis) Unix() int64 { return int64(m) / 1000 }

// Add returns the moment d later.
func (m Millis) Add(d time.Duration) Millis { return m + Millis(d.Milliseconds()) }
