package keys

import (
	"slices"
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
	// knownEverywhere is how long a next secret is there before it is used: by then
	// every node has read it. Nobody else needs to see it.
	knownEverywhere = time.Minute
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

// due is when the schedule lets next take the place of active. Where that is nil nothing
// signs: next does at once, as after the revocation of an active key.
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

// agenda is what the schedule asks for at one moment.
type agenda struct {
	ahead    bool          // times of keys lie in the future
	lacking  []string      // lines without a next key
	rotate   []string      // lines whose next key is to sign
	stuck    []string      // lines that should rotate, with a next key that does not open
	overdue  bool          // one of rotate should have rotated long ago
	short    []storage.Key // active keys that sign for longer than is noted
	over     bool          // retired keys whose time is over, or rows to delete
	stranded []string      // lines of such keys, when no module is configured
	left     []storage.Key // keys out of use whose private half is still in the module
}

// empty reports whether there is nothing to do that one node does for all.
func (a *agenda) empty() bool {
	return !a.ahead && len(a.lacking) == 0 && len(a.rotate) == 0 && !a.over && len(a.left) == 0
}

// agenda reads off the rows what is due. A line without any row is no line: only
// Open starts one.
func (s *keySet) agenda(lines []string, l Life, at time.Time) agenda {
	var a agenda
	for _, line := range lines {
		active, next := s.find(line, storage.KeyActive), s.find(line, storage.KeyNext)
		if active != nil && active.LongestLife < l.of(line) {
			a.short = append(a.short, *active)
		}
		switch {
		case !s.lines[line]:
		case next == nil:
			a.lacking = append(a.lacking, line)
		case at.Before(l.due(active, *next)):
		case !s.opened[next.ID]:
			a.stuck = append(a.stuck, line)
		default:
			a.rotate = append(a.rotate, line)
			a.overdue = a.overdue || at.Sub(l.due(active, *next)) > max(l.RotateEvery, longestPause)
		}
	}
	latest := storage.At(at.Add(skew))
	for _, k := range s.rows {
		if left(k) {
			a.left = append(a.left, k)
		}
		a.ahead = a.ahead || max(k.CreatedAt, k.ActivatedAt, k.RetiredAt, k.RevokedAt) > latest || k.State == storage.KeyGone && k.GoneAt > latest
		a.over = a.over || k.State == storage.KeyRetired && k.GoneAt <= storage.At(at) && s.mayEnd(k.Line) ||
			k.State == storage.KeyGone && k.GoneAt <= storage.At(at.Add(-hintLife)) ||
			k.State == storage.KeyRevoked && k.RevokedAt <= storage.At(at.Add(-hintLife))
	}
	return a
}

// mayEnd reports whether a line may lose its retired keys: it has one that signs, or
// was retired as a whole.
func (s *keySet) mayEnd(line string) bool {
	return s.find(line, storage.KeyActive) != nil || s.find(line, storage.KeyNext) == nil
}

// find gives the one row of a line that is active or next, or nil.
func (s *keySet) find(line string, state storage.KeyState) *storage.Key {
	i := slices.IndexFunc(s.rows, func(k storage.Key) bool { return k.Line == line && k.State == state })
	if i < 0 {
		return nil
	}
	return &s.rows[i]
}
