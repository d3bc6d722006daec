package keeper

import (
	"time"

	"signet/storage"
)

// Life is the configuration of how long keys stay in each state. A zero field means its
// default.
type Life struct {
	RotateEvery   time.Duration // how long a key signs; 30 d
	PublishBefore time.Duration // how long a next key is published before it signs; 24 h
	MaxAge        time.Duration // how long relying parties may cache the JWKS, and how long a key stays in it after its last token has expired; 5 min
	Tokens        time.Duration // longest lifetime of the tokens that published keys sign; 15 min
	Internal      time.Duration // longest lifetime of the tokens and messages of the internal line; 30 d
}

const (
	day = 24 * time.Hour
	// secretDelay is the shortest time between making a next secret and using it. All
	// nodes have read the secret by then, and nobody else needs it.
	secretDelay = time.Minute
	// longestPause is the longest time between two runs of RotateOnce, which normally run
	// every second. After a longer pause, or if the clock goes back, the clock is not
	// trusted for an hour.
	longestPause = time.Hour
)

func (l *Life) setDefaults() {
	for value, fallback := range map[*time.Duration]time.Duration{
		&l.RotateEvery: 30 * day, &l.PublishBefore: day, &l.MaxAge: 5 * time.Minute,
		&l.Tokens: 15 * time.Minute, &l.Internal: 30 * day,
	} {
		if *value == 0 {
			*value = fallback
		}
	}
}

// longestLife returns the longest lifetime of the tokens and messages of a line.
func (l *Life) longestLife(line string) time.Duration {
	if line == storage.InternalLine {
		return l.Internal
	}
	return l.Tokens
}

// SignsUntil returns when the schedule retires an active key.
func (l *Life) SignsUntil(k storage.Key) time.Time { return k.ActivatedAt.Time().Add(l.RotateEvery) }

// maySignFrom returns when a next key may sign that must be published for wait first.
func (l *Life) maySignFrom(next storage.Key, wait time.Duration) time.Time {
	if next.Line == storage.InternalLine {
		wait = max(wait, min(secretDelay, l.PublishBefore))
	}
	return next.CreatedAt.Time().Add(wait)
}

// due returns when the schedule replaces active with next. If active is nil, the line has
// no signing key, for example after a revocation: next is activated at once.
func (l *Life) due(active *storage.Key, next storage.Key) time.Time {
	if active == nil {
		return l.maySignFrom(next, 0)
	}
	earliest := l.maySignFrom(next, l.PublishBefore)
	if earliest.After(l.SignsUntil(*active)) {
		return earliest
	}
	return l.SignsUntil(*active)
}
