package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

const (
	// leaseLife is how long the other nodes wait if the node with the lease crashes. The
	// lease only avoids keys that are made for nothing: conditional writes decide which
	// keys are used.
	leaseName = "keys"
	leaseLife = 10 * time.Second
)

// Rotator runs the schedule of the keys in a server and reloads its ring.
type Rotator struct {
	keeper *Keeper
	ring   *keys.Ring
	log    *slog.Logger
	holder string // identifies this node in the lease

	// State between two runs. Runs never overlap.
	lastRun      time.Time
	trustedSince time.Time       // when the clock is trusted again
	alarmed      map[string]bool // alarms that were raised already
}

// NewRotator returns a rotator for the ring of this process. log may be nil.
func NewRotator(k *Keeper, ring *keys.Ring, log *slog.Logger) *Rotator {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Rotator{keeper: k, ring: ring, log: log, holder: rand.Text(), alarmed: map[string]bool{}}
}

// RotateOnce does the actions that are due. It rotates each line at most once, makes missing
// next keys, and ends keys that no valid token needs. One of several nodes does this under a
// lease, and conditional writes prevent that an action happens twice. If nothing is due,
// RotateOnce does not use the database. The caller calls it every second, and never twice at
// the same time.
//
// If the clock has jumped, RotateOnce records the event key.alarm and ends no keys for an
// hour. Times of keys that are in the future are set to at.
func (r *Rotator) RotateOnce(ctx context.Context, at time.Time) error {
	at = at.Round(0) // use the wall clock: the monotonic clock never jumps
	failed := r.watchClock(ctx, at)
	if r.ring.Inventory().AwaitsModule() { // the module may answer again
		failed = errors.Join(failed, r.ring.ReloadOnce(ctx, at))
	}
	todo := r.plan(r.ring.Inventory(), at)
	failed = errors.Join(failed, r.doAll(ctx, nil, ofThisNode(todo), at))
	if !slices.ContainsFunc(todo, action.isShared) {
		if slices.ContainsFunc(todo, func(a action) bool { return a.act == raiseLife }) {
			failed = errors.Join(failed, r.ring.ReloadOnce(ctx, at))
		}
		return failed
	}
	mine, err := r.keeper.db.TakeLease(ctx, leaseName, r.holder, leaseLife, at)
	if err != nil || !mine {
		return errors.Join(failed, err)
	}
	failed = errors.Join(failed, r.doShared(ctx, at), r.keeper.db.ReturnLease(context.WithoutCancel(ctx), leaseName, r.holder))
	return errors.Join(failed, r.ring.ReloadOnce(ctx, at))
}

func (r *Rotator) plan(known vault.Inventory, at time.Time) []action {
	return plan(situation{
		Inventory: known, lines: r.keeper.lines(), hasModule: r.keeper.vault.HasModule(), trustedClock: !at.Before(r.trustedSince),
	}, r.keeper.life, at)
}

// watchClock raises an alarm if the clock has jumped since the last run.
func (r *Rotator) watchClock(ctx context.Context, at time.Time) error {
	last := r.lastRun
	r.lastRun = at
	if gap := at.Sub(last); last.IsZero() || gap <= longestPause && gap >= -storage.MaxClockSkew {
		return nil
	}
	r.trustedSince = at.Add(longestPause)
	r.log.Error("the clock has jumped: no keys are ended for an hour", "from", last, "to", at)
	return r.recordAlarm(ctx, "clock_jumped", map[string]any{"from": last.Unix(), "to": at.Unix()}, at)
}

// doShared does the shared actions. It reads the rows again before, because another node may
// have done the actions already. After settleTimes it plans once more.
func (r *Rotator) doShared(ctx context.Context, at time.Time) error {
	for range 2 {
		set, err := r.keeper.read(ctx)
		if err != nil {
			return err
		}
		todo := ofAllNodes(r.plan(set.Inventory, at))
		failed := r.doAll(ctx, set, todo, at)
		if failed != nil || !slices.Contains(todo, action{act: settleTimes}) {
			return failed
		}
	}
	return nil
}

func ofThisNode(todo []action) []action {
	return slices.DeleteFunc(slices.Clone(todo), action.isShared)
}

func ofAllNodes(todo []action) []action {
	return slices.DeleteFunc(slices.Clone(todo), func(a action) bool { return !a.isShared() })
}

// doAll does all actions, even if one of them fails, and returns all errors.
func (r *Rotator) doAll(ctx context.Context, set *vault.Set, todo []action, at time.Time) error {
	var failed error
	for _, a := range todo {
		failed = errors.Join(failed, r.do(ctx, set, a, at))
	}
	return failed
}

// do does one action. Actions that are not shared need no set.
func (r *Rotator) do(ctx context.Context, set *vault.Set, a action, at time.Time) error {
	db, life := r.keeper.db, r.keeper.life
	switch a.act {
	case raiseLife:
		return db.RaiseLongestLife(ctx, a.kid, life.longestLife(a.line))
	case raiseAlarm:
		return r.alarmOnce(ctx, a, at)
	case settleTimes:
		return errors.Join(r.recordAlarm(ctx, "times_ahead", nil, at), db.ClampKeyTimes(ctx, life.MaxAge, at))
	case distrustClock:
		r.trustedSince = at.Add(longestPause)
		return r.recordAlarm(ctx, "overdue", nil, at)
	case rotateLine:
		return r.rotate(ctx, set, a.line, at)
	case makeNext:
		return r.makeNext(ctx, set, a.line, at)
	case endKeys:
		_, err := db.EndExpiredKeys(ctx, keys.HintLife, storage.By{From: bySchedule, At: at})
		return err
	case destroyPrivate:
		return r.destroyPrivate(ctx, set, a.kid)
	}
	return fmt.Errorf("unknown action of the key schedule: %d", a.act)
}

func (r *Rotator) rotate(ctx context.Context, set *vault.Set, line string, at time.Time) error {
	done, err := r.keeper.rotate(ctx, set, []string{line}, storage.By{From: bySchedule, At: at})
	if err == nil {
		r.log.Info("keys rotated", "alg", line, "kid", done[0].Active, "retired", done[0].Retired)
	}
	return ignoreConflict(err)
}

func (r *Rotator) makeNext(ctx context.Context, set *vault.Set, line string, at time.Time) error {
	k, err := r.keeper.newKey(set, line, storage.KeyNext, at)
	if err != nil {
		return err
	}
	err = r.keeper.db.AddNextKey(ctx, k, storage.By{From: bySchedule, At: at})
	if errors.Is(err, storage.ErrConflict) {
		return r.keeper.discard(k)
	}
	return err
}

func (r *Rotator) destroyPrivate(ctx context.Context, set *vault.Set, kid string) error {
	i := slices.IndexFunc(set.Rows, func(row storage.Key) bool { return row.ID == kid })
	err := r.keeper.destroyPrivate(ctx, set.Rows[i])
	if err == nil {
		r.log.Info("private key destroyed in the module", "alg", set.Rows[i].Line, "kid", kid)
	}
	return err
}

// bySchedule is the origin of the events of the schedule.
var bySchedule = storage.Origin{Actor: storage.ActorSystem}

// ignoreConflict returns nil if another node rotated first.
func ignoreConflict(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// alarmOnce logs and records an alarm about a line, once per process.
func (r *Rotator) alarmOnce(ctx context.Context, a action, at time.Time) error {
	if r.alarmed[a.reason+a.line] {
		return nil
	}
	r.log.Error("key rotation needs an operator", "alg", a.line, "error", a.reason)
	err := r.recordAlarm(ctx, a.reason, map[string]any{"line": a.line}, at)
	r.alarmed[a.reason+a.line] = err == nil
	return err
}

func (r *Rotator) recordAlarm(ctx context.Context, reason string, detail map[string]any, at time.Time) error {
	err := r.keeper.db.RecordEvent(ctx, storage.Event{
		Type: storage.KeyAlarm, Outcome: storage.Refused, Reason: reason, From: bySchedule, Detail: detail,
	}, at)
	if err != nil {
		return fmt.Errorf("record alarm: %w", err)
	}
	return nil
}
