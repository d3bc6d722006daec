package keeper

import (
	"slices"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

// act is a kind of action.
type act int

const (
	// Each node does these two by itself.
	noteLife   act = iota // the key signs for longer than its row says
	raiseAlarm            // the line needs an operator, for the given reason

	// One node does the others for all, under a lease.
	settleTimes   // times of keys lie in the future: they count from now
	distrustClock // a rotation is so late that the clock may be wrong: end no keys for a while
	rotateLine    // the next key of the line signs from now on
	makeNext      // the line lacks a next key
	endKeys       // retired keys have outlived their tokens, or rows can be deleted
	forgetPrivate // the key is out of use, its private half still in the module
)

// Reasons of alarms.
const (
	noUsableNext = "no_usable_next"
	leftInModule = "private_key_left_in_module"
)

// action is one thing that the schedule asks for. Only the fields that the act needs are
// set.
type action struct {
	act    act
	line   string
	kid    string
	reason string
}

// isShared reports whether one node does the action for all.
func (a action) isShared() bool { return a.act >= settleTimes }

// situation is everything that a plan is made from, but for the time.
type situation struct {
	vault.Inventory
	lines        []string // lines that the schedule looks after
	hasModule    bool     // a module is configured
	trustedClock bool     // false: no key may be ended
}

// plan says what the schedule asks for, in the order in which it is to be done. Times
// that lie in the future come first and alone: what else is due shows when they are
// settled. A line without any row is left alone: only Start begins one.
func plan(s situation, l Life, at time.Time) []action {
	todo := append(s.notes(l), s.alarms(l, at)...)
	if slices.ContainsFunc(s.Rows, func(k storage.Key) bool { return isAhead(k, at) }) {
		return append(todo, action{act: settleTimes})
	}
	rotations, overdue := s.rotations(l, at)
	if overdue {
		todo, s.trustedClock = append(todo, action{act: distrustClock}), false
	}
	todo = append(todo, rotations...)
	if s.trustedClock && slices.ContainsFunc(s.Rows, func(k storage.Key) bool { return s.isOver(k, at) }) {
		todo = append(todo, action{act: endKeys})
	}
	for _, k := range s.Rows {
		if s.hasModule && isLeftInModule(k) {
			todo = append(todo, action{act: forgetPrivate, line: k.Line, kid: k.ID})
		}
	}
	return todo
}

// notes lists the active keys that sign for longer than is noted.
func (s situation) notes(l Life) (todo []action) {
	for _, line := range s.lines {
		if active := s.Find(line, storage.KeyActive); active != nil && active.LongestLife < l.of(line) {
			todo = append(todo, action{act: noteLife, line: line, kid: active.ID})
		}
	}
	return todo
}

// alarms lists what waits for an operator: lines that should rotate, with a next key
// that cannot sign; and private halves in a module that is no longer configured.
func (s situation) alarms(l Life, at time.Time) (todo []action) {
	for _, line := range s.lines {
		if s.isDue(line, l, at) && !s.IsUsable(s.Find(line, storage.KeyNext).ID) {
			todo = append(todo, action{act: raiseAlarm, line: line, reason: noUsableNext})
		}
	}
	for _, k := range s.Rows {
		if !s.hasModule && isLeftInModule(k) {
			todo = append(todo, action{act: raiseAlarm, line: k.Line, reason: leftInModule})
		}
	}
	return todo
}

// rotations lists the lines that rotate, then those that get a next key. overdue: one
// should have rotated long ago.
func (s situation) rotations(l Life, at time.Time) (todo []action, overdue bool) {
	var lacking []action
	for _, line := range s.lines {
		active, next := s.Find(line, storage.KeyActive), s.Find(line, storage.KeyNext)
		switch {
		case next == nil && hasStarted(s.Rows, line):
			lacking = append(lacking, action{act: makeNext, line: line})
		case active != nil && line != storage.InternalLine && s.retired(line) > maxRetired:
			// The line waits until endKeys has taken one of them out of the JWKS.
		case s.isDue(line, l, at) && s.IsUsable(next.ID):
			todo = append(todo, action{act: rotateLine, line: line})
			since := max(storage.At(l.due(active, *next)), s.lastOver(line, at)).Time() // the line may have waited for that
			overdue = overdue || at.Sub(since) > max(l.RotateEvery, longestPause)
		}
	}
	return append(todo, lacking...), overdue
}

// retired counts the retired keys of a line, all of which are published.
func (s situation) retired(line string) (n int) {
	for _, k := range s.Rows {
		if k.Line == line && k.State == storage.KeyRetired {
			n++
		}
	}
	return n
}

// lastOver is when the time of a retired key of the line was last over; 0 if it never was.
func (s situation) lastOver(line string, at time.Time) (last storage.Millis) {
	for _, k := range s.Rows {
		if k.Line == line && (k.State == storage.KeyGone || k.State == storage.KeyRetired) && k.GoneAt <= storage.At(at) {
			last = max(last, k.GoneAt)
		}
	}
	return last
}

// isDue reports whether the next key of a line is to sign.
func (s situation) isDue(line string, l Life, at time.Time) bool {
	next := s.Find(line, storage.KeyNext)
	return next != nil && !at.Before(l.due(s.Find(line, storage.KeyActive), *next))
}

// hasStarted reports whether a line has keys, usable or not. One that was retired as a
// whole begins anew.
func hasStarted(rows []storage.Key, line string) bool {
	return slices.ContainsFunc(rows, func(k storage.Key) bool {
		return k.Line == line && k.State != storage.KeyRetired && k.State != storage.KeyGone
	})
}

// isAhead reports whether a time of a key lies further in the future than the clocks of
// nodes may differ.
func isAhead(k storage.Key, at time.Time) bool {
	latest := storage.At(at.Add(storage.MaxClockSkew))
	return max(k.CreatedAt, k.ActivatedAt, k.RetiredAt, k.RevokedAt) > latest || k.State == storage.KeyGone && k.GoneAt > latest
}

// isOver reports whether EndExpiredKeys has something to do with a key. A line without a key
// that signs keeps its retired ones, unless it was retired as a whole.
func (s situation) isOver(k storage.Key, at time.Time) bool {
	forgotten := storage.At(at.Add(-keys.HintLife))
	switch k.State {
	case storage.KeyRetired:
		mayEnd := s.Find(k.Line, storage.KeyActive) != nil || s.Find(k.Line, storage.KeyNext) == nil
		return k.GoneAt <= storage.At(at) && mayEnd
	case storage.KeyGone:
		return k.GoneAt <= forgotten
	case storage.KeyRevoked:
		return k.RevokedAt <= forgotten
	}
	return false
}

// isLeftInModule reports whether the private half of a key that is out of use is still
// in the module: the row keeps the reference until it is destroyed there.
func isLeftInModule(k storage.Key) bool {
	return k.IsExternal() && (k.State == storage.KeyGone || k.State == storage.KeyRevoked)
}
