package keys_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/storage"
	"signet/storage/storagetest"
)

const (
	month = 30 * 24 * time.Hour
	day   = 24 * time.Hour
)

// run lets the schedule run at a moment.
func run(t testing.TB, r *keys.Ring, at time.Time) {
	t.Helper()
	if err := r.RotateOnce(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

// live runs the schedule every half hour until a moment, as a server does more
// often, so that no run looks like a jump of the clock.
func live(t testing.TB, r *keys.Ring, from, until time.Time) {
	t.Helper()
	for at := from; at.Before(until); at = at.Add(30 * time.Minute) {
		run(t, r, at)
	}
	run(t, r, until)
}

func (h *house) count(t testing.TB, kind storage.EventType) (n int) {
	t.Helper()
	events, err := h.db.Events(t.Context(), storage.EventFilter{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func (h *house) states(t testing.TB, line string) map[storage.KeyState]int {
	t.Helper()
	n := map[storage.KeyState]int{}
	for _, k := range h.rows(t) {
		if k.Line == line {
			n[k.State]++
		}
	}
	return n
}

func TestRotateOnce_LifeOfAKeyByTheDefaults(t *testing.T) {
	h := open(t, "ES256")
	first, second := h.kid(t, "ES256", storage.KeyActive), h.kid(t, "ES256", storage.KeyNext)
	hint, jwks := h.idToken(t, "ES256"), h.JWKS().ETag
	due := noon.Add(month)

	live(t, h.Ring, noon, due.Add(-time.Second))
	if got := h.kid(t, "ES256", storage.KeyActive); got != first || h.JWKS().ETag != jwks {
		t.Fatalf("before it was due, %s signs and the JWKS is %s", got, h.JWKS().Body)
	}
	run(t, h.Ring, due)
	third := h.kid(t, "ES256", storage.KeyNext)
	if got := h.kid(t, "ES256", storage.KeyActive); got != second || h.kid(t, "ES256", storage.KeyRetired) != first {
		t.Fatalf("%s signs, want the one that was next", got)
	}
	if got, want := h.published(t), []string{first, second, third}; !sameSet(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
	// 15 minutes of the last token, and 5.
	live(t, h.Ring, due, due.Add(20*time.Minute-time.Second))
	if got := h.kid(t, "ES256", storage.KeyRetired); got != first {
		t.Error("the retired key went too early")
	}
	run(t, h.Ring, due.Add(20*time.Minute))
	if got := h.kid(t, "ES256", storage.KeyGone); got != first || slices.Contains(h.published(t), first) {
		t.Error("the retired key stays")
	}
	for _, k := range h.rows(t) {
		if k.ID == first && (len(k.Sealed) != 0 || k.Public == "") {
			t.Errorf("the gone key: sealed %d bytes, public %q", len(k.Sealed), k.Public)
		}
	}
	if _, err := h.VerifyIDTokenHint(hint, due.Add(time.Hour)); err != nil {
		t.Errorf("its ID token as a hint: %v", err)
	}
	if n := h.count(t, storage.KeyAlarm); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// The internal line opens what it sealed for the longest idle life of a refresh token.
func TestKY07_RetiredSecretOpensForTheIdleLifeOfRefreshTokens(t *testing.T) {
	h := open(t, "ES256")
	message := h.sealed(t, "request")
	due := noon.Add(month)
	live(t, h.Ring, noon, due)
	if h.sealed(t, "request")[:20] == message[:20] {
		t.Fatal("the same secret seals")
	}
	retired := h.kid(t, storage.InternalLine, storage.KeyRetired)
	live(t, h.Ring, due, due.Add(month+5*time.Minute-time.Second))
	if _, err := h.Unseal("request", message, noon); err != nil {
		t.Errorf("while a refresh token of it may live: %v", err)
	}
	run(t, h.Ring, due.Add(month+5*time.Minute))
	if _, err := h.Unseal("request", message, noon); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("afterwards: got %v, want ErrInvalid", err)
	}
	if got := h.states(t, storage.InternalLine); got[storage.KeyGone] != 1 {
		t.Errorf("%s is not gone: %v", retired, got)
	}
}

// A lifetime that was longer once still counts for the keys that signed then.
func TestRotateOnce_LongestLifetimeWhileAKeySignedCounts(t *testing.T) {
	h := open(t, "ES256")
	long, err := h.again(t, func(c *keys.Config) { c.Life.Tokens = 6 * time.Hour })
	if err != nil {
		t.Fatal(err)
	}
	run(t, long, noon)
	if _, err := h.Rotate(t.Context(), nil, 0, storage.Origin{}, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, k := range h.rows(t) {
		if want := storage.At(noon.Add(7*time.Hour + 5*time.Minute)); k.State == storage.KeyRetired && k.GoneAt != want {
			t.Errorf("the retired key goes at %s, want %s", k.GoneAt.Time(), want.Time())
		}
	}
}

func TestRotateOnce_NothingDueAsksNoDatabase(t *testing.T) {
	h := open(t, "ES256")
	run(t, h.Ring, noon)
	reads, writes := h.db.Calls()
	live(t, h.Ring, noon, noon.Add(2*time.Hour))
	if r, w := h.db.Calls(); r != reads || w != writes {
		t.Errorf("%d reads, %d writes", r-reads, w-writes)
	}
}

func TestKY03_OfManyNodesThatRotateTogetherOneDoes(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		nodes := make([]*keys.Ring, 6)
		for i := range nodes {
			var err error
			nodes[i], err = keys.Open(t.Context(), keys.Config{
				DB: b.Open(t), Master: master, Issuer: issuer, Algorithms: []string{"ES256"}, Now: func() time.Time { return noon },
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for round := 1; round <= 5; round++ {
			at := noon.Add(time.Duration(round) * month)
			var all sync.WaitGroup
			for _, r := range nodes {
				all.Go(func() {
					if err := r.RotateOnce(t.Context(), at); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			h := &house{db: b.Open(t)}
			if n := h.count(t, storage.KeyRotated); n != 2*round { // ES256 and the internal line
				t.Fatalf("round %d: %d rotations, want %d", round, n, 2*round)
			}
			for _, r := range nodes {
				if err := r.ReloadOnce(t.Context(), at); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestKY09_ClockJumpsAhead: all is due at once. One rotation, nothing goes, and it
// is said.
func TestKY09_ClockJumpsAheadAndBack(t *testing.T) {
	h := open(t, "ES256")
	run(t, h.Ring, noon)
	if _, err := h.Rotate(t.Context(), nil, 0, storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	signed := h.accessToken(t, "ES256")
	ahead := noon.Add(365 * day)
	for second := range 3 {
		run(t, h.Ring, ahead.Add(time.Duration(second)*time.Second))
	}
	if got := h.states(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRetired] != 2 || got[storage.KeyGone] != 0 {
		t.Errorf("after the jump: %v, want one rotation and nothing gone", got)
	}
	if n := h.count(t, storage.KeyAlarm); n < 1 {
		t.Error("no alarm")
	}

	// The clock is set right: what was made meanwhile is of today.
	back := noon.Add(time.Minute)
	run(t, h.Ring, back)
	if _, err := h.VerifyAccess(signed, back); err != nil {
		t.Errorf("a token from before the jump: %v", err)
	}
	for _, k := range h.rows(t) {
		if k.State != storage.KeyRevoked && max(k.CreatedAt, k.ActivatedAt, k.RetiredAt) > storage.At(back) {
			t.Errorf("%s key of %s lies in the future", k.State, k.Line)
		}
	}
	live(t, h.Ring, back, back.Add(month-time.Second))
	before := h.kid(t, "ES256", storage.KeyActive)
	run(t, h.Ring, back.Add(month))
	if h.kid(t, "ES256", storage.KeyActive) == before {
		t.Error("the line does not rotate when it is due")
	}
}

// A clock that was ahead for a day: keys have gone and were revoked meanwhile.
func TestKY09_ClockSetBackAfterADayAhead(t *testing.T) {
	h := open(t, "ES256")
	ahead := noon.Add(2 * 365 * day)
	run(t, h.Ring, noon)
	live(t, h.Ring, ahead, ahead.Add(day))
	if _, err := h.Revoke(t.Context(), h.kid(t, "ES256", storage.KeyActive), "", storage.Origin{}, ahead.Add(day)); err != nil {
		t.Fatal(err)
	}
	if got := h.states(t, "ES256"); got[storage.KeyGone] != 1 || got[storage.KeyRevoked] != 1 {
		t.Fatalf("%v, want one gone and one revoked", got)
	}
	if err := h.ReloadOnce(t.Context(), ahead); err != nil {
		t.Fatal(err)
	}
	run(t, h.Ring, noon.Add(time.Hour))
	alarms := h.count(t, storage.KeyAlarm)
	_, writes := h.db.Calls()
	for minute := range 30 {
		run(t, h.Ring, noon.Add(time.Hour+time.Duration(minute)*time.Minute))
	}
	if _, w := h.db.Calls(); w != writes || h.count(t, storage.KeyAlarm) != alarms {
		t.Errorf("%d writes and %d alarms more, although the times were settled", w-writes, h.count(t, storage.KeyAlarm)-alarms)
	}
}

// A machine that was off, or whose clock is wrong from the start.
func TestKY09_FirstRunLongAfterAllIsDue(t *testing.T) {
	h := open(t, "ES256")
	at := noon.Add(365 * day)
	for second := range 3 {
		run(t, h.Ring, at.Add(time.Duration(second)*time.Second))
	}
	if got := h.states(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRetired] != 1 {
		t.Errorf("%v, want one rotation", got)
	}
	if n := h.count(t, storage.KeyAlarm); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
}

func TestRotateOnce_NextKeyThatDoesNotOpenNeverSigns(t *testing.T) {
	good := open(t, "ES256")
	next := good.kid(t, "ES256", storage.KeyNext)
	h := good.altered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	live(t, h.Ring, noon, noon.Add(month+2*time.Hour))
	if got := h.kid(t, "ES256", storage.KeyNext); got != next {
		t.Error("it was promoted")
	}
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
	if n := h.count(t, storage.KeyAlarm); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
	// Revoked, it gives way to one that opens.
	if _, err := h.Revoke(t.Context(), next, "", storage.Origin{}, noon.Add(month+3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	live(t, h.Ring, noon.Add(month+3*time.Hour), noon.Add(month+28*time.Hour))
	if err := h.Ready(); err != nil || h.count(t, storage.KeyRotated) < 2 {
		t.Errorf("it rotates no more: %v", err)
	}
}

func TestRotateOnce_LineWithoutNextKeyGetsOne(t *testing.T) {
	h := open(t, "ES256").altered(t, func(k *storage.Key) {
		if k.State == storage.KeyNext {
			k.State = storage.KeyRevoked
		}
	})
	run(t, h.Ring, noon)
	if got := h.states(t, "ES256"); got[storage.KeyNext] != 1 {
		t.Errorf("%v, want a next key", got)
	}
	if len(h.published(t)) != 2 {
		t.Errorf("published: %v", h.published(t))
	}
}

func TestRotate_NextKeyMustHaveBeenPublished(t *testing.T) {
	h := open(t, "ES256", "RS256")
	var early *keys.NotRipeError
	for _, step := range []struct {
		what  string
		lines []string
		wait  time.Duration
		at    time.Time
		ripe  time.Time // zero: it rotates
	}{
		{"too early by a second", nil, day, noon.Add(day - time.Second), noon.Add(day)},
		{"ten minutes are enough when asked for", []string{"ES256"}, 10 * time.Minute, noon.Add(10 * time.Minute), time.Time{}},
		{"one line is not ripe: none rotates", nil, 10 * time.Minute, noon.Add(11 * time.Minute), noon.Add(20 * time.Minute)},
		{"by force", nil, 0, noon.Add(12 * time.Minute), time.Time{}},
		{"a secret needs its minute even by force", []string{storage.InternalLine}, 0, noon.Add(59 * time.Second), noon.Add(time.Minute)},
		{"after it", []string{storage.InternalLine}, 0, noon.Add(time.Minute), time.Time{}},
	} {
		before := len(h.rows(t))
		done, err := h.Rotate(t.Context(), step.lines, step.wait, storage.Origin{}, step.at)
		if step.ripe.IsZero() {
			if err != nil || len(h.rows(t)) != before+len(done) || len(done) == 0 {
				t.Errorf("%s: %v, %v", step.what, done, err)
			}
			continue
		}
		if !errors.As(err, &early) || !early.Ripe.Equal(step.ripe) || len(h.rows(t)) != before {
			t.Errorf("%s: got %v (%+v), want it ripe at %s", step.what, err, early, step.ripe)
		}
	}
}

func TestRevoke_OfEachState(t *testing.T) {
	h := open(t, "ES256")
	if _, err := h.Rotate(t.Context(), nil, 0, storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	for _, state := range []storage.KeyState{storage.KeyRetired, storage.KeyNext, storage.KeyActive} {
		kid, next := h.kid(t, "ES256", state), h.kid(t, "ES256", storage.KeyNext)
		done, err := h.Revoke(t.Context(), kid, "leaked", storage.Origin{Actor: "cli"}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ReloadOnce(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(h.published(t), kid) || len(h.published(t)) > 3 {
			t.Errorf("%s: published %v", state, h.published(t))
		}
		if state == storage.KeyActive && (done.Successor == nil || done.Successor.ID != next || h.kid(t, "ES256", storage.KeyActive) != next) {
			t.Errorf("the active key was replaced by %+v, want the published next %s", done.Successor, next)
		}
		if err := h.Ready(); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if _, err := h.Revoke(t.Context(), kid, "", storage.Origin{}, noon); !errors.Is(err, keys.ErrRevokedAlready) {
			t.Errorf("%s again: %v", state, err)
		}
	}
	if got := h.states(t, "ES256"); got[storage.KeyActive] != 1 || got[storage.KeyNext] != 1 || got[storage.KeyRevoked] != 3 {
		t.Errorf("%v", got)
	}
	if _, err := h.Revoke(t.Context(), "nobody", "", storage.Origin{}, noon); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// What another node signs under a key that this one has not seen is taken at once.
func TestKY04_UnknownKeyIsLookedForAtOnce(t *testing.T) {
	h := open(t, "ES256")
	other, err := h.again(t, func(*keys.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	// Twice, so that the signing key is one that other has never read.
	for range 2 {
		if _, err := h.Rotate(t.Context(), []string{"ES256", storage.InternalLine}, 0, storage.Origin{}, noon.Add(time.Hour)); err != nil {
			var early *keys.NotRipeError
			if !errors.As(err, &early) {
				t.Fatal(err)
			}
			if _, err := h.Rotate(t.Context(), []string{"ES256"}, 0, storage.Origin{}, noon.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	token := h.accessToken(t, "ES256")
	if _, err := other.VerifyAccess(token, noon); err != nil {
		t.Errorf("got %v, want it taken", err)
	}
}

func TestKY05_FloodOfUnknownKidsCostsOneReadPerSecond(t *testing.T) {
	h := open(t, "ES256")
	now := noon
	flooded, err := h.again(t, func(c *keys.Config) { c.Now = func() time.Time { return now } })
	if err != nil {
		t.Fatal(err)
	}
	foreign := open(t, "ES256")
	tokens := []string{foreign.accessToken(t, "ES256"), foreign.refreshToken(t), foreign.idToken(t, "ES256"), foreign.sealed(t, "request")}
	reads, _ := h.db.Calls()
	const seconds, each = 3, 200
	for range seconds {
		now = now.Add(time.Second)
		for i := range each {
			token := tokens[i%len(tokens)]
			for _, err := range []error{
				second(flooded.VerifyAccess(token, noon)), second(flooded.OpenRefresh(token, noon)),
				second(flooded.VerifyIDTokenHint(token, noon)), second(flooded.Unseal("request", token, noon)),
			} {
				if !errors.Is(err, keys.ErrInvalid) {
					t.Fatalf("got %v, want ErrInvalid", err)
				}
			}
		}
	}
	if r, _ := h.db.Calls(); r-reads != seconds {
		t.Errorf("%d reads in %d seconds", r-reads, seconds)
	}
}

func second[T any](_ T, err error) error { return err }

// A change of something else than keys leaves signers and what is known of tokens.
func TestReloadOnce_SameKeysBuildNothing(t *testing.T) {
	h := open(t, "RS256")
	token := h.accessToken(t, "RS256")
	if err := openAccess(h, token); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprintf("%p", &h.JWKS().Body[0])
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%p", &h.JWKS().Body[0]); after != before {
		t.Error("everything was built anew")
	}
}

func TestRewrap_RunningRingFollowsToTheNewMasterKey(t *testing.T) {
	h := open(t, "ES256")
	old, target := master, [32]byte{7, 7, 7}
	current := [][32]byte{old}
	with := func(c *keys.Config) { c.Masters = func() ([][32]byte, error) { return current, nil } }
	running, err := h.again(t, with)
	if err != nil {
		t.Fatal(err)
	}
	signed, message := h.accessToken(t, "ES256"), h.sealed(t, "request")
	if _, _, err := running.Rewrap(t.Context(), storage.Origin{}, noon); !errors.Is(err, keys.ErrOneMaster) {
		t.Errorf("with one master key: got %v, want ErrOneMaster", err)
	}
	current = [][32]byte{old, target}
	keeper, err := keys.NewKeeper(keys.Config{DB: h.db, Master: old, Masters: func() ([][32]byte, error) { return current, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{4, 0} { // the second time nothing is left to do
		n, unopened, err := keeper.Rewrap(t.Context(), storage.Origin{}, noon)
		if err != nil || n != want || len(unopened) != 0 {
			t.Errorf("%d keys, %v, %v; want %d", n, unopened, err, want)
		}
	}
	// The running one reads the new key by itself; what it makes is sealed under that.
	if err := running.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if _, err := running.Rotate(t.Context(), nil, 0, storage.Origin{}, noon); err != nil {
		t.Fatal(err)
	}
	fresh, err := h.again(t, func(c *keys.Config) { c.Master = target })
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Ready(); err != nil || len((&house{Ring: fresh}).published(t)) != 3 {
		t.Errorf("with the new master key alone: %v, %s", err, fresh.JWKS().Body)
	}
	if _, err := fresh.VerifyAccess(signed, noon); err != nil {
		t.Error(err)
	}
	if _, err := fresh.Unseal("request", message, noon); err != nil {
		t.Error(err)
	}
	if _, err := h.again(t, func(*keys.Config) {}); !errors.Is(err, keys.ErrMasterKey) {
		t.Errorf("with the old master key: got %v, want ErrMasterKey", err)
	}
}

func TestRewrap_LeavesARowThatDoesNotOpen(t *testing.T) {
	good := open(t, "ES256")
	next := good.kid(t, "ES256", storage.KeyNext)
	h := good.altered(t, func(k *storage.Key) {
		if k.ID == next {
			k.Sealed[len(k.Sealed)-1] ^= 1
		}
	})
	before := h.rows(t)
	keeper, err := keys.NewKeeper(keys.Config{DB: h.db, Master: master, Masters: func() ([][32]byte, error) {
		return [][32]byte{master, {9}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	n, unopened, err := keeper.Rewrap(t.Context(), storage.Origin{}, noon)
	if err != nil || n != 3 || !slices.Equal(unopened, []string{next}) {
		t.Errorf("%d, %v, %v; want 3 and %s", n, unopened, err, next)
	}
	for i, k := range h.rows(t) {
		if (k.ID == next) != bytes.Equal(k.Sealed, before[i].Sealed) {
			t.Errorf("%s key %s: sealed anew, or not", k.State, k.ID)
		}
	}
}

// A line that signs nothing, as after a revocation during which no key could be made,
// does not wait until its next key has been published for a day.
func TestRotateOnce_LineWithoutASignerGetsOneAtOnce(t *testing.T) {
	h := open(t, "ES256").altered(t, func(k *storage.Key) {
		if k.Line == "ES256" && k.State == storage.KeyActive {
			k.State, k.RevokedAt, k.Sealed = storage.KeyRevoked, storage.At(noon), []byte{}
		}
	})
	next := h.kid(t, "ES256", storage.KeyNext)
	if err := h.Ready(); !errors.Is(err, keys.ErrNoKey) {
		t.Fatalf("ready: %v", err)
	}
	run(t, h.Ring, noon)
	if got := h.kid(t, "ES256", storage.KeyActive); got != next || h.Ready() != nil {
		t.Errorf("%s signs, want %s; %v", got, next, h.Ready())
	}
}
