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
	// Every node does these two itself.
	raiseLife  act = iota // raise the longest token lifetime in the row of an active key
	raiseAlarm            // tell the operator that the line has a problem; see reason

	// One node, which holds a lease, does the others for all nodes.
	settleTimes    // set times of keys that are in the future to now
	distrustClock  // end no keys for a while: a rotation is so late that the clock may be wrong
	rotateLine     // make the next key of the line the active one
	makeNext       // make the missing next key of the line
	endKeys        // end retired keys without valid tokens, and delete old rows
	destroyPrivate // destroy the private half in the module of a key that is out of use
)

// Reasons of alarms.
const (
	noUsableNext = "no_usable_next"
	leftInModule = "private_key_left_in_module"
)

// action is one step that is due. Only the fields that the act needs are set.
type action struct {
	act    act
	line   string
	kid    string
	reason string
}

// isShared reports whether one node does the action for all nodes.
func (a action) isShared() bool { return a.act >= settleTimes }

// situation is the input of plan, apart from the configured times and the current time.
type situation struct {
	vault.Inventory
	lines        []string // lines that the schedule manages
	hasModule    bool     // a module is configured
	trustedClock bool     // false: no key may be ended
}

// plan returns the actions that are due, in the order in which they must be done. If times
// of keys are in the future, settleTimes is the only shared action: the others are planned
// again after it. plan does nothing for a line without rows: only Start begins a line.
func plan(s situation, l Life, at time.Time) []action {
	todo := append(s.raises(l), s.alarms(l, at)...)
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
			todo = append(todo, action{act: destroyPrivate, line: k.Line, kid: k.ID})
		}
	}
	return todo
}

// raises returns the actions for active keys that sign longer-lived tokens than their rows
// say.
func (s situation) raises(l Life) (todo []action) {
	for _, line := range s.lines {
		if active := s.Find(line, storage.KeyActive); active != nil && active.LongestLife < l.longestLife(line) {
			todo = append(todo, action{act: raiseLife, line: line, kid: active.ID})
		}
	}
	return todo
}

// alarms returns the alarms for operators: lines that should rotate but whose next key
// cannot sign, and private halves in a module that is no longer configured.
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

// rotations returns the rotations that are due, then the missing next keys. overdue is true
// if a line should have rotated long ago.
func (s situation) rotations(l Life, at time.Time) (todo []action, overdue bool) {
	var lacking []action
	for _, line := range s.lines {
		active, next := s.Find(line, storage.KeyActive), s.Find(line, storage.KeyNext)
		switch {
		case next == nil && hasStarted(s.Rows, line):
			lacking = append(lacking, action{act: makeNext, line: line})
		case active != nil && line != storage.InternalLine && s.retired(line) > maxRetired:
			// The line waits until endKeys has removed a retired key from the JWKS.
		case s.isDue(line, l, at) && s.IsUsable(next.ID):
			todo = append(todo, action{act: rotateLine, line: line})
			since := max(storage.At(l.due(active, *next)), s.lastEnd(line, at)).Time() // the line may have waited for a retired key to end
			overdue = overdue || at.Sub(since) > max(l.RotateEvery, longestPause)
		}
	}
	return append(todo, lacking...), overdue
}

// retired counts the retired keys of a line. All of them are published.
func (s situation) retired(line string) (n int) {
	for _, k := range s.Rows {
		if k.Line == line && k.State == storage.KeyRetired {
			n++
		}
	}
	return n
}

// lastEnd returns when the time of a retired key of the line last ended; 0 if none has
// ended yet.
func (s situation) lastEnd(line string, at time.Time) (last storage.Millis) {
	for _, k := range s.Rows {
		if k.Line == line && (k.State == storage.KeyGone || k.State == storage.KeyRetired) && k.GoneAt <= storage.At(at) {
			last = max(last, k.GoneAt)
		}
	}
	return last
}

// isDue reports whether the line has a next key and should rotate now.
func (s situation) isDue(line string, l Life, at time.Time) bool {
	next := s.Find(line, storage.KeyNext)
	return next != nil && !at.Before(l.due(s.Find(line, storage.KeyActive), *next))
}

// hasStarted reports whether a line has keys, usable or not. Retired and gone keys do not
// count: a line that was retired with Retire can begin again.
func hasStarted(rows []storage.Key, line string) bool {
	return slices.ContainsFunc(rows, func(k storage.Key) bool {
		return k.Line == line && k.State != storage.KeyRetired && k.State != storage.KeyGone
	})
}

// isAhead reports whether a time in the row is further in the future than the clocks of two
// nodes may differ.
func isAhead(k storage.Key, at time.Time) bool {
	latest := storage.At(at.Add(storage.MaxClockSkew))
	return max(k.CreatedAt, k.ActivatedAt, k.RetiredAt, k.RevokedAt) > latest || k.State == storage.KeyGone && k.GoneAt > latest
}

// isOver reports whether EndExpiredKeys would end or delete a key. If a line has a next but
// no active key, its retired keys do not end.
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

// isLeftInModule reports whether a key is out of use and its private half is still in the
// module. The row has the reference until the private half is destroyed.
func isLeftInModule(k storage.Key) bool {
	return k.IsExternal() && (k.State == storage.KeyGone || k.State == storage.KeyRevoked)
}
