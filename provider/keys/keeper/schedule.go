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
	// leaseLife is how long the other nodes wait for one that crashed at work. The lease
	// only saves them making keys for nothing: conditional writes decide which are taken.
	leaseName = "keys"
	leaseLife = 10 * time.Second
)

// Rotator lets the keys that a ring uses go through their life by the schedule.
type Rotator struct {
	keeper *Keeper
	ring   *keys.Ring
	log    *slog.Logger
	holder string // this node, to the others

	// Remembered from run to run. The runs come one after another.
	lastRun      time.Time
	trustedSince time.Time       // from then on the clock is trusted again
	alarmed      map[string]bool // alarms that were raised already
}

// NewRotator gives a rotator for the ring of this process. log may be nil.
func NewRotator(k *Keeper, ring *keys.Ring, log *slog.Logger) *Rotator {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Rotator{keeper: k, ring: ring, log: log, holder: rand.Text(), alarmed: map[string]bool{}}
}

// RotateOnce does what the schedule asks for: it rotates lines whose key has signed
// for long enough, at most once each, gives a line the next key it lacks, and ends keys
// that no living token needs. Of several nodes one does it, under a lease; and what must
// not happen twice is decided by conditional writes. With nothing to do it asks no
// database. Its caller calls it every second, never twice at a time.
//
// When the clock has jumped, it says so (event key.alarm), and for an hour it ends no
// keys. Times of keys that lie in the future count from at.
func (r *Rotator) RotateOnce(ctx context.Context, at time.Time) error {
	at = at.Round(0) // the wall clock: the monotonic one never jumps
	failed := r.watchClock(ctx, at)
	if r.ring.Inventory().AwaitsModule() { // the module may be back
		failed = errors.Join(failed, r.ring.ReloadOnce(ctx, at))
	}
	todo := r.plan(r.ring.Inventory(), at)
	failed = errors.Join(failed, r.doAll(ctx, nil, ofThisNode(todo), at))
	if !slices.ContainsFunc(todo, action.isShared) {
		if slices.ContainsFunc(todo, func(a action) bool { return a.act == noteLife }) {
			failed = errors.Join(failed, r.ring.ReloadOnce(ctx, at))
		}
		return failed
	}
	mine, err := r.keeper.db.TakeLease(ctx, leaseName, r.holder, leaseLife, at)
	if err != nil || !mine {
		return errors.Join(failed, err)
	}
	failed = errors.Join(failed, r.work(ctx, at), r.keeper.db.ReturnLease(context.WithoutCancel(ctx), leaseName, r.holder))
	return errors.Join(failed, r.ring.ReloadOnce(ctx, at))
}

func (r *Rotator) plan(known vault.Inventory, at time.Time) []action {
	return plan(situation{
		Inventory: known, lines: r.keeper.lines(), hasModule: r.keeper.vault.HasModule(), trustedClock: !at.Before(r.trustedSince),
	}, r.keeper.life, at)
}

// watchClock compares this run with the one before.
func (r *Rotator) watchClock(ctx context.Context, at time.Time) error {
	last := r.lastRun
	r.lastRun = at
	if gap := at.Sub(last); last.IsZero() || gap <= longestPause && gap >= -storage.MaxClockSkew {
		return nil
	}
	r.trustedSince = at.Add(longestPause)
	r.log.Error("the clock has jumped", "from", last, "to", at)
	return r.recordAlarm(ctx, "clock_jumped", map[string]any{"from": last.Unix(), "to": at.Unix()}, at)
}

// work does what one node does for all, by the rows as they are now: another node may
// have done it already. When times were settled, it plans once more.
func (r *Rotator) work(ctx context.Context, at time.Time) error {
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

// doAll does all actions, whether one fails or not.
func (r *Rotator) doAll(ctx context.Context, set *vault.Set, todo []action, at time.Time) error {
	var failed error
	for _, a := range todo {
		failed = errors.Join(failed, r.do(ctx, set, a, at))
	}
	return failed
}

// do does one action. Those that each node does by itself need no set.
func (r *Rotator) do(ctx context.Context, set *vault.Set, a action, at time.Time) error {
	db, life := r.keeper.db, r.keeper.life
	switch a.act {
	case noteLife:
		return db.RaiseLongestLife(ctx, a.kid, life.of(a.line))
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
	case forgetPrivate:
		return r.forgetPrivate(ctx, set, a.kid)
	}
	return fmt.Errorf("the schedule asks for an act that there is not: %d", a.act)
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

func (r *Rotator) forgetPrivate(ctx context.Context, set *vault.Set, kid string) error {
	i := slices.IndexFunc(set.Rows, func(row storage.Key) bool { return row.ID == kid })
	err := r.keeper.forgetPrivate(ctx, set.Rows[i])
	if err == nil {
		r.log.Info("private key destroyed in the module", "alg", set.Rows[i].Line, "kid", kid)
	}
	return err
}

// bySchedule is the origin of the events of the schedule.
var bySchedule = storage.Origin{Actor: "system"}

// ignoreConflict returns nil if another node rotated first.
func ignoreConflict(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// alarmOnce says once in the life of this process that a line needs an operator.
func (r *Rotator) alarmOnce(ctx context.Context, a action, at time.Time) error {
	if r.alarmed[a.reason+a.line] {
		return nil
	}
	r.log.Error("keys need an operator", "alg", a.line, "error", a.reason)
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
