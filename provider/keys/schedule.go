package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/storage"
)

const (
	// longestPause between two runs of RotateOnce, which come every second. After a
	// longer one, or one that goes backwards, the clock is not believed for as long.
	longestPause = time.Hour

	// leaseLife is how long the others wait for a node that died at work. It only saves
	// them making keys for nothing: which are taken, conditional writes decide.
	leaseName = "keys"
	leaseLife = 10 * time.Second
)

// watch is what RotateOnce remembers from run to run. Its runs come one after another.
type watch struct {
	holder  string          // this ring, to the other nodes
	last    time.Time       // when it ran
	steady  time.Time       // from when on the clock is believed again
	alarmed map[string]bool // what was said already
}

// RotateOnce does what the schedule asks for: it rotates lines whose key has signed
// for long enough, at most once each, gives a line the next key it lacks, and lets go
// of keys that no living token needs. Of several nodes one does it, under a lease; and
// what must not happen twice is decided by conditional writes. With nothing to do it
// asks no database. Its caller calls it every second, never twice at a time.
//
// When the clock has jumped, it says so (event key.alarm), and for an hour it lets go
// of nothing. Times of keys that lie in the future count from at.
func (r *Ring) RotateOnce(ctx context.Context, at time.Time) error {
	at = at.Round(0) // the wall clock: the monotonic one never jumps
	failed := r.watchClock(ctx, at)
	set, todo := r.todo(at)
	if len(set.apart) > 0 { // the module may be back
		failed = errors.Join(failed, r.reload(ctx))
		_, todo = r.todo(at)
	}
	for _, k := range todo.short {
		failed = errors.Join(failed, r.db.NoteKeyLife(ctx, k.ID, r.life.of(k.Line)))
	}
	for _, line := range todo.stuck {
		failed = errors.Join(failed, r.alarm(ctx, "no_usable_next", line, at))
	}
	for _, line := range todo.stranded {
		failed = errors.Join(failed, r.alarm(ctx, "private_key_left_in_module", line, at))
	}
	if todo.empty() {
		if len(todo.short) > 0 {
			failed = errors.Join(failed, r.reload(ctx))
		}
		return failed
	}
	mine, err := r.db.TakeLease(ctx, leaseName, r.watch.holder, leaseLife, at)
	if err != nil || !mine {
		return errors.Join(failed, err)
	}
	failed = errors.Join(failed, r.work(ctx, at), r.db.ReturnLease(context.WithoutCancel(ctx), leaseName, r.watch.holder))
	return errors.Join(failed, r.reload(ctx))
}

func (r *Ring) todo(at time.Time) (*keySet, agenda) {
	set := r.inUse.Load()
	todo := set.agenda(r.lines(), r.life, at)
	todo.over = todo.over && !at.Before(r.watch.steady)
	if r.vault.module == nil {
		for _, k := range todo.left {
			todo.stranded = append(todo.stranded, k.Line)
		}
		todo.left = nil
	}
	return set, todo
}

// watchClock looks at how long it is since the last run.
func (r *Ring) watchClock(ctx context.Context, at time.Time) error {
	last := r.watch.last
	r.watch.last = at
	if gap := at.Sub(last); last.IsZero() || gap <= longestPause && gap >= -skew {
		return nil
	}
	r.watch.steady = at.Add(longestPause)
	r.log.Error("the clock has jumped", "from", last, "to", at)
	return r.recordAlarm(ctx, "clock_jumped", map[string]any{"from": last.Unix(), "to": at.Unix()}, at)
}

// work does what is to be done, by the rows as they are now: another node may have
// done it already.
func (r *Ring) work(ctx context.Context, at time.Time) error {
	if err := r.reload(ctx); err != nil {
		return err
	}
	var failed error
	set, todo := r.todo(at)
	if todo.ahead {
		failed = errors.Join(
			r.recordAlarm(ctx, "times_ahead", nil, at),
			r.db.SettleKeyTimes(ctx, r.life.MaxAge, at), r.reload(ctx))
		set, todo = r.todo(at)
	}
	if todo.overdue {
		r.watch.steady = at.Add(longestPause)
		todo.over = false
		failed = errors.Join(failed, r.recordAlarm(ctx, "overdue", nil, at))
	}
	for _, line := range todo.rotate {
		done, err := r.rotate(ctx, set, []string{line}, byItself, at)
		failed = errors.Join(failed, r.lost(err))
		if err == nil {
			r.log.Info("keys rotated", "alg", line, "kid", done[0].Active, "retired", done[0].Retired)
		}
	}
	for _, line := range todo.lacking {
		k, err := r.newKey(set, line, storage.KeyNext, at)
		if err == nil {
			err = r.db.AddNextKey(ctx, k, byItself, at)
		}
		if errors.Is(err, storage.ErrConflict) {
			err = r.discard(k)
		}
		failed = errors.Join(failed, err)
	}
	if todo.over {
		_, err := r.db.EndKeys(ctx, hintLife, byItself, at)
		failed = errors.Join(failed, err)
	}
	for _, k := range todo.left {
		err := r.clear(ctx, k)
		failed = errors.Join(failed, err)
		if err == nil {
			r.log.Info("private key destroyed in the module", "alg", k.Line, "kid", k.ID)
		}
	}
	return failed
}

// byItself is where the events of the schedule come from.
var byItself = storage.Origin{Actor: "system"}

// lost makes nothing of having come second.
func (r *Ring) lost(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// alarm says once what is wrong with a line, and waits for an operator.
func (r *Ring) alarm(ctx context.Context, reason, line string, at time.Time) error {
	if r.watch.alarmed[reason+line] {
		return nil
	}
	r.log.Error("keys need an operator", "alg", line, "error", reason)
	err := r.recordAlarm(ctx, reason, map[string]any{"line": line}, at)
	if err == nil {
		if r.watch.alarmed == nil {
			r.watch.alarmed = map[string]bool{}
		}
		r.watch.alarmed[reason+line] = true
	}
	return err
}

func (r *Ring) recordAlarm(ctx context.Context, reason string, detail map[string]any, at time.Time) error {
	err := r.db.RecordEvent(ctx, storage.Event{
		Type: storage.KeyAlarm, Outcome: storage.Refused, Reason: reason, From: byItself, Detail: detail,
	}, at)
	if err != nil {
		return fmt.Errorf("record alarm: %w", err)
	}
	return nil
}
