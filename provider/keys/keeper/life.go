package keeper

import (
	"time"

	"signet/storage"
)

// Life tells how long keys stay in each state. The zero value of a field is its
// default.
type Life struct {
	RotateEvery   time.Duration // how long a key signs; 30 d
	PublishBefore time.Duration // how long a next key is published before it signs; 24 h
	MaxAge        time.Duration // how long relying parties may keep the JWKS, and a key stays in it past its last token; 5 min
	Tokens        time.Duration // the longest life of what published keys sign; 15 min
	Internal      time.Duration // the longest life of what the internal line signs and seals; 30 d
}

const (
	day = 24 * time.Hour
	// knownEverywhere is how long a next secret waits before it is used: by then every
	// node has read it, and nobody else needs it.
	knownEverywhere = time.Minute
	// longestPause between two runs of RotateOnce, which come every second. After a
	// longer one, or one that goes backwards, the clock is not trusted for as long.
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

// of gives the longest life of what a line signs.
func (l *Life) of(line string) time.Duration {
	if line == storage.InternalLine {
		return l.Internal
	}
	return l.Tokens
}

// SignsUntil is when the schedule takes an active key out of signing.
func (l *Life) SignsUntil(k storage.Key) time.Time { return k.ActivatedAt.Time().Add(l.RotateEvery) }

// ripe is when a next key that has to be there for wait may sign.
func (l *Life) ripe(next storage.Key, wait time.Duration) time.Time {
	if next.Line == storage.InternalLine {
		wait = max(wait, min(knownEverywhere, l.PublishBefore))
	}
	return next.CreatedAt.Time().Add(wait)
}

// due is when the schedule lets next take the place of active. If active is nil, nothing
// signs, as after the revocation of an active key: next takes the place at once.
func (l *Life) due(active *storage.Key, next storage.Key) time.Time {
	if active == nil {
		return l.ripe(next, 0)
	}
	ripe := l.ripe(next, l.PublishBefore)
	if ripe.After(l.SignsUntil(*active)) {
		return ripe
	}
	return l.SignsUntil(*active)
}
